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
        const directory = await all.getDirectoryHandle(folder(name), { create: true });
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

/** Any text as a folder's name: those of one or two dots would be this folder, and the one above. */
function folder(name) {
  return /^\.\.?$/.test(name) ? name.replaceAll(".", "%2E") : encodeURIComponent(name);
}

async function handle(directory, name) {
  const file = await directory.getFileHandle(name, { create: true });
  for (let left = TRIES; ; left--) {
    try {
      return honest(await file.createSyncAccessHandle());
    } catch (error) {
      if (left === 0 || error.name !== "NoModificationAllowedError") throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/**
 * A handle that says when there is no more room. Chromium's, at the quota, throws nothing: `write` gives the system's error as if it
 * were a number of bytes (-8 as 4294967288), and `truncate` leaves the file as it is.
 */
function honest(handle) {
  const [write, truncate] = [handle.write.bind(handle), handle.truncate.bind(handle)];
  handle.write = (bytes, at) => {
    const written = write(bytes, at);
    if (written > bytes.byteLength) throw full();
    return written;
  };
  handle.truncate = (size) => {
    truncate(size);
    if (handle.getSize() !== size) throw full();
  };
  return handle;
}

function full() {
  return new DOMException("the origin's quota is used up", "QuotaExceededError");
}
