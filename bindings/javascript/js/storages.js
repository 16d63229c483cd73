// Where a browser keeps a database: files that only it sees (OPFS), IndexedDB, or memory.

/** How often, and how many milliseconds apart, files are asked for that a worker that has just gone still holds. */
const TRIES = 40;
const PAUSE = 50;

export const engines = {
  opfs: {
    isHere: () =>
      typeof navigator.storage?.getDirectory === "function" && typeof FileSystemFileHandle?.prototype.createSyncAccessHandle === "function",
    async open({ Engine }, { name, hotBytes }, emit) {
      for (let left = TRIES; ; left--) {
        try {
          return await Engine.opfs(name, hotBytes, emit);
        } catch (error) {
          if (left === 0 || !isInUse(error)) throw error;
          await new Promise((resolve) => setTimeout(resolve, PAUSE));
        }
      }
    },
    /** Whether it failed because this browser, or this window, has no such files. */
    isMissing: (error) => error?.name === "SecurityError",
  },
  indexeddb: {
    isHere: () => typeof indexedDB === "object" && indexedDB !== null,
    open: ({ Engine }, { name, hotBytes }, emit) => Engine.indexeddb(name, hotBytes, emit),
    isMissing: (error) => error?.name === "SecurityError",
  },
  memory: {
    isHere: () => true,
    open: async ({ Engine }, { hotBytes }, emit) => Engine.memory(hotBytes, emit),
    isMissing: () => false,
  },
};

const IN_USE = new TextEncoder().encode("IN_USE");

/** Whether an answer says so: its first item is the code. */
function isInUse(answer) {
  return answer instanceof Uint8Array && answer[0] === 0x60 + IN_USE.length && IN_USE.every((byte, at) => answer[at + 1] === byte);
}
