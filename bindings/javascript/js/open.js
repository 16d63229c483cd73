// Opening a database: its options are checked, the engine is loaded once, and the storage is chosen.

import { Anabranch } from "./database.js";
import { AnabranchError } from "./errors.js";
import { Instance, LocalPort } from "./local.js";
import { settingsOf } from "./settings.js";
import { isWellFormed } from "./values.js";

const KNOWN = ["name", "storage", "hotBytes", "records", "connectors"];
const STORAGES = ["memory", "opfs", "indexeddb", "file"];

/**
 * `Anabranch.open` for a host. `engines` are those that the host has, by what they are needed for: `alone` for the store, `records` for
 * one with records and links, `file` for one in a directory; each is asked for with `load(again)`, and gives its module, in a fresh
 * instance where it is asked again. `storages` are those that the host has; `remote` starts an engine elsewhere, for the storages that
 * are kept there, `file` opens one on a directory, and `prepare` gives an engine what it needs of the host.
 */
export function opener({ engines, storages, remote, file, prepare = () => {} }) {
  const { alone, records, file: inDirectory } = engines;
  /** Promises of those that were asked for. */
  const loaded = new Map();
  const instanceOf = (exports, load) => {
    // None tells the time that another one does.
    exports.takeTurn([inDirectory, alone, records].indexOf(load));
    return new Instance(exports);
  };
  const instance = async (load) => {
    try {
      const before = loaded.get(load);
      // Of several who find it panicked one loads it again.
      const again = before !== undefined && (await before).isPoisoned && loaded.get(load) === before;
      if (again) loaded.delete(load);
      if (!loaded.has(load)) loaded.set(load, load(again).then((exports) => instanceOf(exports, load)));
      return await loaded.get(load);
    } catch (error) {
      loaded.delete(load);
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
    if (settings !== null && records === undefined) {
      throw new AnabranchError("INVALID_ARGUMENT", "records, connectors: this is the store alone; import Anabranch from \"anabranch\" for them");
    }
    if (!storages.includes(storage)) {
      throw new AnabranchError("STORAGE_NOT_HERE", `storage: ${storage} is not to be had here; there are ${storages.join(", ")}`);
    }
    const connects = (options.connectors?.length ?? 0) > 0;
    const prepared = async (load) => {
      const engine = await instance(load);
      await prepare(engine.exports, { connects });
      return engine;
    };
    if (storage === "file") {
      if (name === undefined) throw new AnabranchError("INVALID_ARGUMENT", "name: with storage \"file\" it is the directory, and is needed");
      return new Anabranch(await file(await prepared(inDirectory), { name, hotBytes, settings }));
    }
    // A host that can start no worker has memory.
    const elsewhere = storage === "memory" ? undefined : await remote({ name: name ?? "default", storage, hotBytes, settings });
    if (elsewhere !== undefined) return new Anabranch(elsewhere);
    // What has no records needs no more than the store: two fifths less to fetch and to compile.
    const engine = await prepared(settings === null ? alone : records);
    const port = await LocalPort.open(engine, "memory", name, settings, (emit) => engine.exports.Engine.memory(hotBytes, emit));
    return new Anabranch(port);
  };
}
