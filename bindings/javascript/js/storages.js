// Where a browser keeps a database: files that only it sees (OPFS), IndexedDB, or memory.

/** How often, and how many milliseconds apart, files are asked for that a worker that has just gone still holds. */
const TRIES = 40;
const PAUSE = 50;

/** Whether there are private files: a worker asks once. */
let hasFiles;

export const engines = {
  opfs: {
    isHere: () => (hasFiles ??= looked()),
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
  },
  indexeddb: {
    async isHere() {
      try {
        return indexedDB !== null && typeof indexedDB === "object";
      } catch {
        return false;
      }
    },
    open: ({ Engine }, { name, hotBytes }, emit) => Engine.indexeddb(name, hotBytes, emit),
  },
  memory: {
    isHere: async () => true,
    open: async ({ Engine }, { hotBytes }, emit) => Engine.memory(hotBytes, emit),
  },
};

async function looked() {
  try {
    // An old browser has none, nor have some private windows and pages without an origin.
    await navigator.storage.getDirectory();
    return typeof FileSystemFileHandle.prototype.createSyncAccessHandle === "function";
  } catch {
    return false;
  }
}

const IN_USE = new TextEncoder().encode("IN_USE");

/** Whether an answer says so: its first item is the code. */
function isInUse(answer) {
  return answer instanceof Uint8Array && answer[0] === 0x60 + IN_USE.length && IN_USE.every((byte, at) => answer[at + 1] === byte);
}
