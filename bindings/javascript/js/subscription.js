// One who follows: what comes is held until it is taken, and no more is asked for than there is room for.

import { AnabranchError } from "./errors.js";
import { Reader } from "./values.js";

/** How many may be on their way to one who follows. */
const ROOM = 1024;

let last = 0;

/** Follows until it is closed: `for await (const item of subscription)`, or with a callback. */
export class Subscription {
  #port;
  #source;
  #id = ++last;
  #ready;
  #items = [];
  #waiting = [];
  #callback;
  #taken = 0;
  #end = null;
  /** Whether somebody waits for `ready`, and is told there. */
  #isAwaited = false;
  /** Where it goes on, should it have to begin again: after the last that came, or where it began. Records have no such places. */
  #position;
  #begun = false;
  #missed = 0;

  constructor(port, source, callback) {
    this.#port = port;
    this.#source = source;
    this.#callback = callback;
    // Before it is asked for: events may come before the answer.
    port.following(this.#id, (event, bytes) => this.#came(event, bytes));
    this.#ready = this.#start();
    // Whoever iterates, or waits for `ready`, is told; else it is reported.
    this.#ready.catch((error) => this.#finish(error));
  }

  /** Resolves when nothing that is written from now on is missed; rejects if it cannot follow. */
  get ready() {
    this.#isAwaited = true;
    return this.#ready;
  }

  /** How many it was too slow for: they were gone from the record's buffer. Of the store none is ever missed. */
  get missed() {
    return this.#missed;
  }

  async #start() {
    const begins = await this.#source.start(this.#id, ROOM, this.#position);
    this.#begun = true;
    this.#position ??= begins ?? undefined;
  }

  #came(event, bytes) {
    if (this.#end !== null) return;
    if (event === 3) {
      // Another engine answers now, which knows nothing of it. One that has not begun is asked for again as it was.
      if (this.#begun) this.#start().catch((error) => this.#finish(error));
      this.#taken = 0;
      return;
    }
    if (event === 4) {
      // No engine answers any more, and these are no bytes, but why.
      this.#finish(bytes);
      return;
    }
    const reader = new Reader(bytes);
    if (event === 2) {
      const [code, message] = [reader.value(), reader.value()];
      this.#finish(code === null ? undefined : new AnabranchError(code, message));
      this.#source.leave(this.#id).catch(() => {});
      return;
    }
    while (!reader.isAtEnd) {
      const came = reader.value();
      if (came.missed !== undefined) {
        this.#missed += came.missed;
        continue;
      }
      this.#position = came.versionId ?? this.#position;
      const item = this.#source.of(came);
      if (this.#callback) {
        call(this.#callback, item);
        this.#took();
      } else if (this.#waiting.length > 0) {
        this.#waiting.shift().resolve({ done: false, value: item });
        this.#took();
      } else {
        this.#items.push(item);
      }
    }
  }

  /** Asks for more when half of the room is free. */
  #took() {
    this.#taken += 1;
    if (this.#taken >= ROOM / 2 && this.#end === null) {
      const wants = this.#taken;
      this.#taken = 0;
      this.#source.more(this.#id, wants).catch(() => {});
    }
  }

  #finish(error) {
    if (this.#end !== null) return;
    // Whoever waits is told; else whoever asks next.
    this.#end = this.#waiting.length > 0 ? {} : { error };
    this.#port.unfollowing(this.#id);
    this.#source.ended();
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error) reject(error);
      else resolve({ done: true, value: undefined });
    }
    if (error && this.#callback && !this.#isAwaited) report(error);
  }

  async next() {
    if (this.#items.length > 0) {
      const value = this.#items.shift();
      this.#took();
      return { done: false, value };
    }
    if (this.#end !== null) {
      const { error } = this.#end;
      // Told once; then it is over.
      this.#end = {};
      if (error) throw error;
      return { done: true, value: undefined };
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async return() {
    this.close();
    return { done: true, value: undefined };
  }

  /** Follows no more. What came and was not taken is dropped. */
  close() {
    if (this.#end !== null) return;
    this.#items = [];
    this.#finish(undefined);
    // Where the database is closed, nothing follows any more.
    this.#source.leave(this.#id).catch(() => {});
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
    this.close();
  }
}

/** A callback that throws is its own affair: it is reported, and the next item comes. */
function call(callback, item) {
  try {
    const result = callback(item);
    if (typeof result?.then === "function") result.then(undefined, report);
  } catch (error) {
    report(error);
  }
}

function report(error) {
  if (typeof reportError === "function") reportError(error);
  else queueMicrotask(() => { throw error; });
}
