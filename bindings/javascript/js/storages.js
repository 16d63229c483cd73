// Where a browser keeps a database: files that only it sees (OPFS), IndexedDB, or memory.

/** How often, and how many milliseconds apart, a file is asked for that a worker that has just gone still holds. */
const TRIES = 40;
const PAUSE = 50;

export const engines = {
  opfs: {
    async prepare({ name }) {
      const root = await navigator.storage.getDirectory();
      const all = await root.getDirectoryHandle("anabranch", { create: true });
      const directory = await all.getDirectoryHandle(encodeURIComponent(name), { create: true });
      const handles = [];
      try {
        for (const file of ["log", "tree"]) handles.push(await handle(directory, file));
      } catch (error) {
        for (const opened of handles) opened.close();
        throw error;
      }
      return handles;
    },
    open: ({ Engine }, [log, tree], { hotBytes }, emit) => Engine.opfs(log, tree, hotBytes, emit),
  },
  memory: {
    async prepare() {},
    open: ({ Engine }, _, { hotBytes }, emit) => Engine.memory(hotBytes, emit),
  },
};

async function handle(directory, name) {
  const file = await directory.getFileHandle(name, { create: true });
  for (let left = TRIES; ; left--) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      if (left === 0 || error.name !== "NoModificationAllowedError") throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}
