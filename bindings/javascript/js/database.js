// What users call: a database, its store, and those who follow it.

import { AnabranchError } from "./errors.js";
import { Record } from "./record.js";
import { Service } from "./service.js";
import { isWellFormed, Reader, Writer } from "./values.js";
import { Subscription } from "./subscription.js";

const shared = new Writer();
/** The number of the last export or import that was begun. */
let transfers = 0;
/** Whether a call is being written: a value's getter may make another one meanwhile. */
let isWriting = false;

/** An open database: see index.d.ts, where each method is described. */
export class Anabranch {
  #port;
  /** Kept when it is closed; none before it is asked to. */
  #closed;
  #ended = false;
  #subscriptions = new Set();
  #services = new Set();

  /** Made by `Anabranch.open`: `port` speaks to the engine, wherever that is. */
  constructor(port) {
    this.#port = port;
  }

  get storage() {
    return this.#port.storage;
  }

  get name() {
    return this.#port.name;
  }

  async put(namespace, key, value, options) {
    return this.#ask("put", (call) => {
      named(call, namespace, key);
      conditions(call, undefined, options);
      call.value(value);
    });
  }

  async putIf(namespace, key, value, expected, options) {
    return this.#ask("put", (call) => {
      named(call, namespace, key);
      if (expected === undefined) throw wrong("expected", "a version id is needed, or null where there may be nothing");
      conditions(call, expected, options);
      call.value(value);
    });
  }

  async delete(namespace, key, options) {
    return this.#ask("delete", (call) => {
      named(call, namespace, key);
      conditions(call, options?.expected, options);
    });
  }

  async writeBatch(writes) {
    return this.#ask("writeBatch", (call) => {
      if (!Array.isArray(writes)) throw wrong("writes", "a list of { namespace, key, value } is needed");
      call.list(writes.length);
      writes.forEach((write, at) => {
        const { namespace, key, value, deleted, expected } = record(write, `writes[${at}]`);
        named(call, namespace, key);
        conditions(call, expected, write);
        if (deleted === true) {
          if (value !== undefined) throw wrong(`writes[${at}]`, "it has a value, and says deleted; leave one of the two out");
          call.null();
        } else {
          const wrapped = new Writer();
          try {
            wrapped.value(value);
          } catch (error) {
            if (error instanceof AnabranchError) error.message = `writes[${at}]: ${error.message}`;
            throw error;
          }
          call.bytes(wrapped.take());
        }
      });
    });
  }

  async get(namespace, key) {
    return this.#ask("get", (call) => named(call, namespace, key));
  }

  async getAt(namespace, key, timestamp) {
    return (await this.getVersionAt(namespace, key, timestamp)).value;
  }

  async getVersionAt(namespace, key, timestamp) {
    return this.#ask("getAt", (call) => named(call, namespace, key).text(time(timestamp, "timestamp")));
  }

  async getVersion(namespace, key, versionId) {
    return this.#ask("getVersion", (call) => named(call, namespace, key).text(text(versionId, "versionId")));
  }

  async findVersion(versionId) {
    return this.#ask("findVersion", (call) => call.text(text(versionId, "versionId")));
  }

  async history(namespace, key, options) {
    const { from, to, before, limit } = record(options ?? {}, "options");
    const page = await this.#ask("history", (call) => {
      named(call, namespace, key);
      optionalTime(call, from, "from");
      optionalTime(call, before, "before");
      optionalTime(call, to, "to");
      call.count(count(limit ?? 100, "limit"));
    });
    return page.items;
  }

  async listNamespaces(options) {
    const { at, limit } = record(options ?? {}, "options");
    return this.#pages("listNamespaces", limit, (call, after) => {
      optionalTime(call, at, "at");
      optionalText(call, after, "after");
    });
  }

  async listKeys(namespace, options) {
    const { prefix, at, after, limit } = record(options ?? {}, "options");
    return this.#pages("listKeys", limit, (call, next) => {
      call.text(text(namespace, "namespace"));
      optionalText(call, prefix, "prefix");
      optionalTime(call, at, "at");
      optionalText(call, next ?? after, "after");
    });
  }

  async snapshotAt(timestamp) {
    return this.#ask("snapshotAt", (call) => call.text(time(timestamp, "timestamp")));
  }

  async diff(namespace, key, before, after) {
    return this.#ask("diff", (call) => named(call, namespace, key).text(time(before, "before")).text(time(after, "after")));
  }

  async why(versionId, options) {
    return this.#walk("why", versionId, options);
  }

  async effects(versionId, options) {
    return this.#walk("effects", versionId, options);
  }

  #walk(name, versionId, options) {
    const { limit } = record(options ?? {}, "options");
    return this.#ask(name, (call) => call.text(text(versionId, "versionId")).count(count(limit ?? 100, "limit")));
  }

  async stats() {
    return this.#ask("stats", () => {});
  }

  async verify() {
    return this.#ask("verify", () => {});
  }

  async export(options) {
    const { stream = false } = record(options ?? {}, "options");
    if (typeof stream !== "boolean") throw wrong("stream", `true or false is needed, and not ${said(stream)}`);
    if (stream) {
      const id = await this.#exporting();
      return new ReadableStream({
        pull: async (to) => {
          const piece = await this.#ask("piece", (call) => call.count(id));
          if (piece.length > 0) to.enqueue(piece);
          else to.close();
        },
        cancel: () => this.#leave(id),
      });
    }
    return this.#untilDone(async () => {
      const id = await this.#exporting();
      const parts = [];
      for (;;) {
        const piece = await this.#ask("piece", (call) => call.count(id));
        if (piece.length === 0) return joined(parts);
        parts.push(piece);
      }
    });
  }

  async import(file) {
    const isWhole = file instanceof Uint8Array || file instanceof ArrayBuffer || (typeof Blob !== "undefined" && file instanceof Blob);
    if (!isWhole && file?.[Symbol.asyncIterator] === undefined && typeof file?.getReader !== "function") {
      throw wrong("the file", `a Uint8Array, a Blob or a stream of those is needed, and not ${said(file)}`);
    }
    // A stream cannot be read twice.
    return isWhole ? this.#untilDone(() => this.#import(pieces(file))) : this.#import(pieces(file));
  }

  async #import(pieces) {
    const id = ++transfers;
    await this.#ask("import", (call) => call.count(id));
    try {
      for await (const piece of pieces) await this.#ask("feed", (call) => call.count(id).bytes(piece));
      return await this.#ask("imported", (call) => call.count(id));
    } catch (error) {
      // What was wrong is what is told.
      await this.#leave(id).catch(() => {});
      throw error;
    }
  }

  async #exporting() {
    const id = ++transfers;
    await this.#ask("export", (call) => call.count(id));
    return id;
  }

  /** What is in its midst ends there; where the database is closed, it has. */
  async #leave(id) {
    if (!this.#ended) await this.#ask("leave", (call) => call.count(id));
  }

  /** Does it again, where another engine has taken over in its midst. */
  async #untilDone(work) {
    for (;;) {
      const { restarts } = this.#port;
      try {
        return await work();
      } catch (error) {
        if (this.#port.restarts === restarts) throw error;
      }
    }
  }

  subscribe(namespace, options, callback) {
    if (typeof options === "function") [options, callback] = [{}, options];
    const { prefix, from = "now" } = record(options ?? {}, "options");
    if (callback !== undefined && typeof callback !== "function") throw wrong("callback", `a function is needed, and not ${said(callback)}`);
    if (this.#ended) throw closed();
    // What is wrong is said here, and not when the first is taken.
    text(namespace, "namespace");
    if (prefix !== undefined) text(prefix, "prefix");
    const begins = time(from, "from");
    const start = async (id, wants, position = begins) =>
      this.#ask("subscribe", (call) => {
        call.count(id).count(wants).text(namespace);
        optionalText(call, prefix, "prefix");
        if (position === "now") call.null();
        else call.text(position);
      });
    return this.#follow(start, (version) => version, callback);
  }

  record(name) {
    text(name, "name");
    if (this.#ended) throw closed();
    return new Record(name, {
      produce: (value) => this.#ask("produce", (call) => call.text(name).value(value)),
      consume: (callback) => {
        if (callback !== undefined && typeof callback !== "function") throw wrong("callback", "a function is needed");
        const start = async (id, wants) => this.#ask("consume", (call) => call.count(id).count(wants).text(name));
        return this.#follow(start, ({ value }) => value, callback);
      },
    });
  }

  async records() {
    return this.#ask("records", () => {});
  }

  service(name, run, options) {
    text(name, "name");
    if (this.#ended) throw closed();
    if (typeof run !== "function") throw wrong("run", `an async function is needed, and not ${said(run)}`);
    const service = new Service(name, run, record(options ?? {}, "options"), this);
    this.#services.add(service);
    void service.ended.finally(() => this.#services.delete(service)).catch(() => {});
    return service;
  }

  #follow(start, of, callback) {
    const subscription = new Subscription(this.#port, {
      start,
      of,
      more: async (id, wants) => this.#ask("more", (call) => call.count(id).count(wants)),
      leave: async (id) => this.#ask("unfollow", (call) => call.count(id)),
      ended: () => this.#subscriptions.delete(subscription),
    }, callback);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async persist() {
    if (this.#ended) throw closed();
    if (this.storage === "memory") return false;
    if (this.storage === "file") return true;
    return (await globalThis.navigator?.storage?.persist?.()) ?? false;
  }

  async close() {
    this.#closed ??= this.#end();
    await this.#closed;
  }

  async #end() {
    // While they end they may still write: the rest is closed after them.
    await Promise.all([...this.#services].map((service) => service.stop()));
    this.#ended = true;
    for (const subscription of [...this.#subscriptions]) subscription.close();
    await this.#port.close();
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }

  async #pages(name, limit, ask) {
    const wanted = limit === undefined ? Infinity : count(limit, "limit");
    const all = [];
    let after;
    do {
      const page = await this.#ask(name, (call) => {
        ask(call, after);
        call.count(Math.min(wanted - all.length, 1000));
      });
      all.push(...page.items);
      after = page.next;
    } while (after !== undefined && all.length < wanted);
    return all;
  }

  /** Asks the engine. What it answers may be there at once, and is a promise where it is not. */
  #ask(name, write) {
    if (this.#ended) throw closed();
    return this.#port.call(written(name, write), read);
  }
}

/** The bytes of a call, which are whole until the next is written. */
function written(name, write) {
  const outermost = !isWriting;
  const writer = outermost ? shared : new Writer();
  isWriting = true;
  try {
    write(writer.text(name));
    return writer.lend();
  } catch (error) {
    writer.clear();
    if (error instanceof AnabranchError) throw error;
    // A getter of a value has thrown, or a proxy has.
    throw new AnabranchError("INVALID_VALUE", `what was given cannot be read: ${error?.message ?? error}`, { cause: error });
  } finally {
    if (outermost) isWriting = false;
  }
}

function closed() {
  return new AnabranchError("CLOSED", "the database is closed; open it again");
}

/** What an answer says, or the error that it is: all of these bytes, or those from a place to another. */
export function read(answer, from = 0, to = answer.length) {
  const reader = new Reader(answer, from, to);
  const code = reader.value();
  const result = reader.value();
  if (code === null) return result;
  throw new AnabranchError(code, result, reader.isAtEnd ? {} : reader.value());
}

function wrong(what, why) {
  return new AnabranchError("INVALID_ARGUMENT", `${what}: ${why}`);
}

function record(value, what) {
  if (typeof value !== "object" || value === null) throw wrong(what, `an object is needed, and not ${said(value)}`);
  return value;
}

function text(value, what) {
  if (typeof value !== "string") throw wrong(what, `text is needed, and not ${said(value)}`);
  if (!isWellFormed(value)) throw wrong(what, "text with half a surrogate pair is no Unicode");
  return value;
}

function said(value) {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "object") return Array.isArray(value) ? "a list" : "an object";
  return typeof value === "function" ? "a function" : `the ${typeof value} ${String(value).slice(0, 40)}`;
}

function count(value, what) {
  if (!Number.isSafeInteger(value) || value < 0) throw wrong(what, `a whole number of 0 or more is needed, and not ${said(value)}`);
  return value;
}

/** A moment as the engine reads it: a text of RFC 3339, a version id, or a Date. */
function time(value, what) {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new AnabranchError("INVALID_TIMESTAMP", `${what}: this Date is no time`);
    return value.toISOString();
  }
  if (typeof value !== "string") throw wrong(what, `a time is needed, as a Date or as text like 2026-03-29T13:37:00Z, and not ${said(value)}`);
  return text(value, what);
}

function optionalTime(call, value, what) {
  return value === undefined ? call.null() : call.text(time(value, what));
}

function optionalText(call, value, what) {
  return value === undefined ? call.null() : call.text(text(value, what));
}

function named(call, namespace, key) {
  return call.text(text(namespace, "namespace")).text(text(key, "key"));
}

/** What has to be there, and what a write was made from. */
function conditions(call, expected, options) {
  if (expected === undefined) call.null();
  else if (expected === null) call.flag(false);
  else call.text(text(expected, "expected"));
  const because = options === undefined ? undefined : record(options, "options").because;
  if (because === undefined) {
    call.null();
    return;
  }
  if (!Array.isArray(because)) throw wrong("because", "a list of version ids is needed");
  call.list(because.length);
  because.forEach((id, at) => call.text(text(id, `because[${at}]`)));
}

/** One piece of several. */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** How much of a file goes to the engine at once. */
const PIECE = 256 << 10;

/** The pieces of a file, whatever it comes as: none is large, and the next is asked for when one has been taken. */
async function* pieces(file) {
  if (file instanceof ArrayBuffer) file = new Uint8Array(file);
  if (typeof Blob !== "undefined" && file instanceof Blob) file = file.stream();
  const parts = file instanceof Uint8Array ? [file] : file[Symbol.asyncIterator] ? file : parted(file);
  for await (const part of parts) {
    if (!(part instanceof Uint8Array)) throw wrong("the file", "its stream gives something else than Uint8Array");
    for (let at = 0; at < part.length; at += PIECE) yield part.subarray(at, at + PIECE);
  }
}

/** Not every browser's streams can be iterated. */
async function* parted(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Whoever writes it is told that nobody reads on.
    await reader.cancel();
  }
}
