// Where a browser keeps a database: files that only it sees (OPFS), IndexedDB, or memory.

/** How often, and how many milliseconds apart, files are asked for that a worker that has just gone still holds. */
const TRIES = 40;
const PAUSE = 50;

/** The root of the private files, if there are any, and the database's two files: a worker asks for each once. */
let root;
let files;

/**
 * Each is asked whether it `isHere`, and to `open` a database in an engine. What takes long beside an engine can be asked for before: `prepare`
 * while tabs agree on who leads, `begin` by the one that does, whose promise `open` is given. `leave` lets go of what was begun.
 */
export const engines = {
  opfs: {
    isHere: async () => (await (root ??= looked())) !== undefined,
    prepare({ name }) {
      const asked = (files ??= of(name));
      // Whoever opens them asks again.
      asked.catch(() => files === asked && (files = undefined));
    },
    begin(options) {
      this.prepare(options);
      const begun = taken();
      begun.catch(() => {});
      return begun;
    },
    leave: (begun) => begun.then(closed, () => {}),
    open: ({ Engine }, { hotBytes }, emit, begun) => Engine.opfs(begun, hotBytes, emit),
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

/** No name of a directory may have a slash, or be one or two dots. */
async function of(name) {
  const all = await (await (root ??= looked())).getDirectoryHandle("anabranch", { create: true });
  const directory = await all.getDirectoryHandle(encodeURIComponent(name).replaceAll(".", "%2E"), { create: true });
  return Promise.all(["log", "tree"].map((file) => directory.getFileHandle(file, { create: true })));
}

/** The files, for this worker alone. */
async function taken() {
  for (let left = TRIES; ; left--) {
    // Both at once: each answer comes from another process.
    const opened = await Promise.allSettled((await files).map((file) => file.createSyncAccessHandle()));
    const refused = opened.find(({ status }) => status === "rejected");
    const handles = opened.flatMap(({ value }) => value ?? []);
    if (refused === undefined) return handles;
    closed(handles);
    if (left === 0 || refused.reason?.name !== "NoModificationAllowedError") throw refused.reason;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

function closed(handles) {
  for (const handle of handles) handle.close();
}
