// Opening a database: its options are checked, the engine is loaded once, and the storage is chosen.

import { Anabranch } from "./database.js";
import { AnabranchError } from "./errors.js";
import { Instance, LocalPort } from "./local.js";
import { isWellFormed } from "./values.js";

const KNOWN = ["name", "storage", "hotBytes"];
const STORAGES = ["memory", "opfs", "indexeddb", "file"];

/** For hosts whose bundlers know a module by one name alone. */
export function neverAgain(panics) {
  if (panics > 0) throw new AnabranchError("PANICKED", "the engine has panicked; load the page, or start the worker, again");
}

/**
 * `Anabranch.open` for a host: `load(panics)` gives the engine's module, anew once it has panicked, `panics` times; `storages` are those that the host has; `remote` starts an
 * engine elsewhere, for the storages that are kept there, and `file` opens one on a directory.
 */
export function opener({ load, storages, remote, file }) {
  let loading;
  let panics = 0;
  const instance = async () => {
    try {
      const before = loading;
      // Of several who find it panicked one loads it again.
      if (before !== undefined && (await before).isPoisoned && loading === before) {
        loading = undefined;
        panics += 1;
      }
      loading ??= load(panics).then((exports) => new Instance(exports));
      return await loading;
    } catch (error) {
      loading = undefined;
      if (error instanceof AnabranchError) throw error;
      throw new AnabranchError("ENGINE_NOT_LOADED", `the engine's WebAssembly could not be loaded: ${error.message ?? error}`);
    }
  };
  return async function open(options = {}) {
    if (typeof options !== "object" || options === null || Array.isArray(options)) {
      throw new AnabranchError("INVALID_ARGUMENT", "open takes an object, such as { storage: \"memory\" }");
    }
    for (const key of Object.keys(options)) {
      if (!KNOWN.includes(key)) throw new AnabranchError("INVALID_ARGUMENT", `open has no option "${key}"; there are ${KNOWN.join(", ")}`);
    }
    const { name, storage = "memory", hotBytes = 64 << 20 } = options;
    if (name !== undefined && (typeof name !== "string" || name === "" || !isWellFormed(name))) {
      throw new AnabranchError("INVALID_ARGUMENT", "name: text is needed, of one character or more");
    }
    if (!STORAGES.includes(storage)) {
      const said = typeof storage === "string" ? JSON.stringify(storage) : `${typeof storage} of that kind`;
      throw new AnabranchError("INVALID_ARGUMENT", `storage: there is no ${said}; there are ${STORAGES.join(", ")}`);
    }
    if (!Number.isSafeInteger(hotBytes) || hotBytes < 0 || hotBytes > 0xffffffff) {
      throw new AnabranchError("INVALID_ARGUMENT", "hotBytes: a whole number of bytes is needed");
    }
    if (!storages.includes(storage)) {
      throw new AnabranchError("STORAGE_NOT_HERE", `storage: ${storage} is not to be had here; there are ${storages.join(", ")}`);
    }
    if (storage === "file") {
      if (name === undefined) throw new AnabranchError("INVALID_ARGUMENT", "name: with storage \"file\" it is the directory, and is needed");
      return new Anabranch(await file(await instance(), { name, hotBytes }));
    }
    // A host that can start no worker has memory.
    const elsewhere = storage === "memory" ? undefined : await remote({ name: name ?? "default", storage, hotBytes });
    if (elsewhere !== undefined) return new Anabranch(elsewhere);
    const loaded = await instance();
    const port = await LocalPort.open(loaded, "memory", name, (emit) => loaded.exports.Engine.memory(hotBytes, emit));
    return new Anabranch(port);
  };
}
