// The engine in this very thread: a call is answered before it returns.

import { read } from "./database.js";
import { AnabranchError } from "./errors.js";

/** A port to an engine of this thread. */
export class LocalPort {
  #engine;
  #instance;
  #followers = new Map();
  #events = [];
  #scheduled = false;

  /**
   * @param instance the engine's module, as `load` gives it
   * @param open opens an engine: is given what the engine calls with its events
   */
  static async open(instance, storage, name, settings, open) {
    const port = new LocalPort();
    port.#instance = instance;
    port.storage = storage;
    port.name = name;
    try {
      port.#engine = await instance.guard(() => open((kind, client, id, bytes) => port.#emitted(kind, id, bytes)));
      if (settings !== null) read(await instance.guard(() => port.#engine.configure(settings)));
    } catch (error) {
      if (port.#engine !== undefined) await port.close();
      if (error instanceof Uint8Array) read(error);
      throw error;
    }
    return port;
  }

  call(call) {
    if (this.#engine === undefined) throw new AnabranchError("CLOSED", "the database is closed; open it again");
    return this.#instance.guard(() => this.#engine.call(0, call));
  }

  following(id, came) {
    this.#followers.set(id, came);
  }

  unfollowing(id) {
    this.#followers.delete(id);
  }

  #emitted(kind, id, bytes) {
    this.#events.push([kind, id, bytes]);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Not now: the engine is in the midst of a call.
    queueMicrotask(() => this.#deliver());
  }

  #deliver() {
    this.#scheduled = false;
    for (const [kind, id, bytes] of this.#events.splice(0)) {
      this.#followers.get(id)?.(kind, bytes);
    }
  }

  async close() {
    this.#followers.clear();
    const engine = this.#engine;
    this.#engine = undefined;
    // What has panicked does nothing more, and has nothing left to let go of.
    if (engine === undefined || this.#instance.isPoisoned) return;
    await this.#instance.guard(() => engine.end());
    this.#instance.guard(() => engine.free());
  }
}

/** An instance of the engine's module. What panics in it ends it: whatever is asked of it later says so. */
export class Instance {
  #poisoned = null;

  constructor(exports) {
    this.exports = exports;
  }

  get isPoisoned() {
    return this.#poisoned !== null;
  }

  guard(work) {
    if (this.#poisoned !== null) throw this.#poisoned;
    try {
      return work();
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) {
        const said = this.exports.panicked?.() ?? error.message;
        this.#poisoned = new AnabranchError(
          "PANICKED",
          `the engine has panicked (${said}); what was acknowledged is safe: open the database again`,
        );
        throw this.#poisoned;
      }
      throw error;
    }
  }
}
