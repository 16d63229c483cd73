// Where a browser keeps a database: files that only it sees (OPFS), IndexedDB, or memory.

/** How often, and how many milliseconds apart, files are asked for that a worker that has just gone still holds. */
const TRIES = 40;
const PAUSE = 50;

/** The root of the private files, if there are any, and the directory of the database: a worker asks for each once. */
let root;
let directory;

export const engines = {
  opfs: {
    isHere: async () => (await (root ??= looked())) !== undefined,
    /** Asks for what it needs beside an engine. */
    prepare({ name }) {
      directory ??= of(name);
      // Whoever opens it is told.
      directory.catch(() => {});
    },
    async open({ Engine }, options, emit) {
      this.prepare(options);
      for (let left = TRIES; ; left--) {
        try {
          return await Engine.opfs(directory, options.hotBytes, emit);
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
    const found = await navigator.storage.getDirectory();
    return typeof FileSystemFileHandle.prototype.createSyncAccessHandle === "function" ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Two files of the engine's are in it. No name of a directory may have a slash, or be one or two dots. */
async function of(name) {
  const all = await (await (root ??= looked())).getDirectoryHandle("anabranch", { create: true });
  return all.getDirectoryHandle(encodeURIComponent(name).replaceAll(".", "%2E"), { create: true });
}

const IN_USE = new TextEncoder().encode("IN_USE");

/** Whether an answer says so: its first item is the code. */
function isInUse(answer) {
  return answer instanceof Uint8Array && answer[0] === 0x60 + IN_USE.length && IN_USE.every((byte, at) => answer[at + 1] === byte);
}
