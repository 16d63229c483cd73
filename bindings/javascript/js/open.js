// Opening a database: its options are checked, the engine is loaded once, and the storage is chosen.

import { Anabranch } from "./database.js";
import { AnabranchError } from "./errors.js";
import { Instance, LocalPort } from "./local.js";
import { settingsOf } from "./settings.js";
import { isWellFormed } from "./values.js";

const KNOWN = ["name", "storage", "hotBytes", "records", "connectors"];
const STORAGES = ["memory", "opfs", "indexeddb", "file"];

/**
 * `Anabranch.open` for a host: `load(again)` gives the engine's module, in a fresh instance where it is asked again; `storages` are
 * those that the host has; `remote` starts an engine elsewhere, for the storages that are kept there, `file` opens one on a
 * directory, and `prepare` gives the engine what it needs of the host.
 */
export function opener({ load, storages, remote, file, prepare = () => {}, records = true }) {
  let loading;
  const instance = async () => {
    try {
      const before = loading;
      // Of several who find it panicked one loads it again.
      const again = before !== undefined && (await before).isPoisoned && loading === before;
      if (again) loading = undefined;
      loading ??= load(again).then((exports) => new Instance(exports));
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
    const settings = settingsOf(options);
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
    if (settings !== null && !records) {
      throw new AnabranchError("INVALID_ARGUMENT", "records, connectors: this is the store alone; import Anabranch from \"anabranch\" for them");
    }
    if (!storages.includes(storage)) {
      throw new AnabranchError("STORAGE_NOT_HERE", `storage: ${storage} is not to be had here; there are ${storages.join(", ")}`);
    }
    const connects = (options.connectors?.length ?? 0) > 0;
    const prepared = async () => {
      const loaded = await instance();
      await prepare(loaded.exports, { connects });
      return loaded;
    };
    if (storage === "file") {
      if (name === undefined) throw new AnabranchError("INVALID_ARGUMENT", "name: with storage \"file\" it is the directory, and is needed");
      return new Anabranch(await file(await prepared(), { name, hotBytes, settings }));
    }
    // A host that can start no worker has memory.
    const elsewhere = storage === "memory" ? undefined : await remote({ name: name ?? "default", storage, hotBytes, settings });
    if (elsewhere !== undefined) return new Anabranch(elsewhere);
    const loaded = await prepared();
    const port = await LocalPort.open(loaded, "memory", name, settings, (emit) => loaded.exports.Engine.memory(hotBytes, emit));
    return new Anabranch(port);
  };
}
