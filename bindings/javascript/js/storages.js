// Where a browser keeps a database: files that only it sees (OPFS), IndexedDB, or memory.

import { AnabranchError } from "./errors.js";

/** How often, and how many milliseconds apart, a file is asked for that a worker that has just gone still holds. */
const TRIES = 40;
const PAUSE = 50;
/** What the browser says, where there is a code for it. */
const CODES = { NoModificationAllowedError: "IN_USE", QuotaExceededError: "STORAGE_FULL" };

export const engines = {
  opfs: {
    async prepare({ name }) {
      let root;
      try {
        root = await navigator.storage.getDirectory();
        if (typeof FileSystemFileHandle.prototype.createSyncAccessHandle !== "function") throw new Error("files open for no worker");
      } catch (error) {
        // An old browser, a private window, a page without an origin.
        throw Object.assign(new Error(`private files are not to be had: ${error.message}`), { isNotHere: true });
      }
      const handles = [];
      try {
        const all = await root.getDirectoryHandle("anabranch", { create: true });
        const directory = await all.getDirectoryHandle(encodeURIComponent(name), { create: true });
        for (const file of ["log", "tree"]) handles.push(await handle(directory, file));
      } catch (error) {
        for (const opened of handles) opened.close();
        const code = CODES[error.name] ?? "STORAGE_FAILED";
        throw new AnabranchError(code, `the database's files could not be opened: ${error.message}`);
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
