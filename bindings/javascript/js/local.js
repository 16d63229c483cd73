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
  #abandon;
  /** The engine's memory: its bytes, and its words, among which those of its desk begin at this one. */
  #bytes = new Uint8Array(0);
  #words;
  #desk;
  #panicked = (error) => {
    this.#abandon?.();
    // Nor is it freed when it is collected.
    this.#engine?.__destroy_into_raw();
    this.#engine = undefined;
    for (const came of [...this.#followers.values()]) came(4, error);
  };

  /**
   * @param instance the engine's module, as `load` gives it
   * @param open opens an engine: is given what the engine calls with its events
   * @param [abandon] lets go of what the engine holds, should it panic
   */
  static async open(instance, storage, name, settings, open, abandon) {
    const port = new LocalPort();
    port.#abandon = abandon;
    port.#instance = instance;
    port.storage = storage;
    port.name = name;
    try {
      port.#engine = await instance.guard(() => open((kind, client, id, bytes) => port.#emitted(kind, id, bytes)));
      if (settings !== null) read(await instance.guard(() => port.#engine.configure(settings)));
    } catch (error) {
      if (instance.isPoisoned) abandon?.();
      else if (port.#engine !== undefined) await port.close();
      if (error instanceof Uint8Array) read(error);
      throw error;
    }
    port.#desk = port.#engine.desk() >>> 2;
    instance.watch(port.#panicked);
    return port;
  }

  /** What `read` makes of the answer, which lies in the engine's memory until the next call. */
  call(call, read) {
    const engine = this.#engine;
    if (engine === undefined) return this.#instance.guard(gone);
    this.#look();
    if (call.length > this.#words[this.#desk + 1]) {
      this.#instance.guard(() => engine.room(call.length));
      this.#look();
    }
    this.#bytes.set(call, this.#words[this.#desk]);
    this.#instance.enter(engine, call.length);
    this.#look();
    const at = this.#words[this.#desk + 2];
    return read(this.#bytes, at, at + this.#words[this.#desk + 3]);
  }

  /** What was seen of the engine's memory is gone when that has grown. */
  #look() {
    if (this.#bytes.length > 0) return;
    // It is loaded: this gives what it exports.
    const { buffer } = this.#instance.exports.initSync().memory;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
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
    this.#instance.unwatch(this.#panicked);
    const engine = this.#engine;
    this.#engine = undefined;
    // What has panicked does nothing more, and has nothing left to let go of.
    if (engine === undefined || this.#instance.isPoisoned) return;
    await this.#instance.guard(() => engine.end());
    this.#instance.guard(() => engine.free());
  }
}

function gone() {
  throw new AnabranchError("CLOSED", "the database is closed; open it again");
}

/** An instance of the engine's module. What panics in it ends it: whatever is asked of it later says so. */
export class Instance {
  #poisoned = null;
  #watching = new Set();

  constructor(exports) {
    this.exports = exports;
    // A task of the engine may panic while nobody calls: a link, or what serves one who follows.
    exports.died().catch(() => this.#end());
  }

  get isPoisoned() {
    return this.#poisoned !== null;
  }

  /** `panicked` is called, with the error, when it ends. */
  watch(panicked) {
    this.#watching.add(panicked);
  }

  unwatch(panicked) {
    this.#watching.delete(panicked);
  }

  guard(work) {
    if (this.#poisoned === null && this.exports.panicked() !== undefined) this.#end();
    if (this.#poisoned !== null) throw this.#poisoned;
    try {
      return work();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Has an engine do the call of this length that lies on its desk: guarded, with nothing made for it. */
  enter(engine, length) {
    if (this.#poisoned !== null) throw this.#poisoned;
    let isAlive;
    try {
      isAlive = engine.call(0, length);
    } catch (error) {
      throw this.#failed(error);
    }
    if (isAlive) return;
    this.#end();
    throw this.#poisoned;
  }

  /** What is thrown where this was: a trap has ended the instance. */
  #failed(error) {
    // The second is a stack that has run out.
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) return error;
    this.#end(error);
    return this.#poisoned;
  }

  #end(caught) {
    if (this.#poisoned !== null) return;
    let why = caught?.message;
    try {
      // A trap that is no panic it does not know of: so that it closes its sockets.
      if (this.exports.panicked() === undefined) this.exports.poison(caught);
      why = this.exports.panicked();
    } catch {
      // It cannot even say what has happened.
    }
    this.#poisoned = new AnabranchError("PANICKED", `the engine has panicked (${why}); what was acknowledged is safe: open the database again`);
    for (const panicked of this.#watching) panicked(this.#poisoned);
    this.#watching.clear();
  }
}
