// JavaScript's values and the engine's: both ways through CBOR (RFC 8949), which is also how calls and answers are written.
//
//   null, boolean, string                 themselves
//   number                                an integer if it is a safe one, else a float; -0 is a float
//   BigInt                                an integer of 64 bits; one beyond ±2^53 comes back as a BigInt
//   Uint8Array, ArrayBuffer               bytes, which come back as a Uint8Array of their own
//   Date                                  a moment, of UTC and to the millisecond
//   Temporal                              every other date, time or duration: kept as its text
//   Array, Float32Array, Float64Array     a list
//   a plain object                        a map, in the order of its keys
//
// Whatever else there is (undefined, functions, symbols, instances of classes) is refused, with the path of its place.

import { AnabranchError, shared } from "./errors.js";

const DEEPEST = 64;
/** How many bytes a value has at most: the engine counts them, too, and here no more memory than that is taken. */
const LARGEST = 64 << 20;
const TAG_MOMENT = 0;
const TAG_NAMED = 27;
const TAG_DATE = 1004;
/** A version, as only the engine writes it: nobody's value has this tag. */
const TAG_VERSION = 6;
/** What a version's flags say that there is. */
const [KEYED, VALUED, PRECEDED, CAUSED] = [1, 2, 4, 8];
/** How long the text of a time is, and that of an id. */
const [TIME, ID] = [30, 64];

/** A date, a time or a duration that a `Date` cannot hold: with its kind, and its text as ISO 8601 has it. */
export class Temporal {
  /**
   * @param {"date" | "time" | "localtime" | "datetime" | "localdatetime" | "duration"} kind
   * @param {string} text
   */
  constructor(kind, text) {
    if (!KINDS.has(kind)) {
      throw new AnabranchError("INVALID_VALUE", `there is no kind of time "${kind}"; there are ${[...KINDS].join(", ")}`);
    }
    this.kind = kind;
    this.text = String(text);
    Object.freeze(this);
  }

  toString() {
    return this.text;
  }

  toJSON() {
    return this.text;
  }
}

shared(Temporal, "Temporal");

const KINDS = new Set(["date", "time", "localtime", "datetime", "localdatetime", "duration"]);

const encoder = new TextEncoder();
// A byte order mark is text like other text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Writes items of CBOR, one after the other, into memory that is used again. */
export class Writer {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  /** Where the value that is written has to end. */
  #limit = Infinity;

  /** What was written since the last time, as bytes of their own. */
  take() {
    return this.lend().slice();
  }

  /** The same, as bytes that are whole until something else is written: to copy them takes longer than to write them. */
  lend() {
    const lent = this.#bytes.subarray(0, this.#at);
    this.clear();
    return lent;
  }

  clear() {
    this.#at = 0;
    this.#limit = Infinity;
    // One huge value does not hold its memory for ever.
    if (this.#bytes.length > 1 << 20) {
      this.#bytes = new Uint8Array(1024);
      this.#view = new DataView(this.#bytes.buffer);
    }
  }

  #room(bytes) {
    if (this.#at + bytes <= this.#bytes.length) return;
    if (this.#at + bytes > this.#limit) {
      throw new AnabranchError("VALUE_TOO_LARGE", `the value has more than ${LARGEST} bytes, which are the most; split it over several keys`);
    }
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + bytes));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** The head of an item: its major type, and a number of up to 2^53. */
  #head(major, number) {
    this.#room(9);
    const type = major << 5;
    if (number < 24) {
      this.#bytes[this.#at++] = type | number;
    } else if (number < 0x100) {
      this.#bytes[this.#at++] = type | 24;
      this.#bytes[this.#at++] = number;
    } else if (number < 0x10000) {
      this.#bytes[this.#at++] = type | 25;
      this.#view.setUint16(this.#at, number);
      this.#at += 2;
    } else if (number < 0x100000000) {
      this.#bytes[this.#at++] = type | 26;
      this.#view.setUint32(this.#at, number);
      this.#at += 4;
    } else {
      this.#bytes[this.#at++] = type | 27;
      this.#view.setUint32(this.#at, Math.floor(number / 0x100000000));
      this.#view.setUint32(this.#at + 4, number >>> 0);
      this.#at += 8;
    }
    return this;
  }

  null() {
    this.#room(1);
    this.#bytes[this.#at++] = 0xf6;
    return this;
  }

  flag(flag) {
    this.#room(1);
    this.#bytes[this.#at++] = flag ? 0xf5 : 0xf4;
    return this;
  }

  /** A whole number of 0 or more, that is safe. */
  count(number) {
    return this.#head(0, number);
  }

  list(length) {
    return this.#head(4, length);
  }

  map(length) {
    return this.#head(5, length);
  }

  text(text) {
    const length = text.length;
    // Short text is mostly ASCII, which is written faster by hand than handed over.
    if (length < 48) {
      this.#room(length + 2);
      const begin = this.#at;
      if (length < 24) this.#bytes[this.#at++] = 0x60 | length;
      else {
        this.#bytes[this.#at++] = 0x78;
        this.#bytes[this.#at++] = length;
      }
      let place = 0;
      for (; place < length; place++) {
        const code = text.charCodeAt(place);
        if (code > 0x7f) break;
        this.#bytes[this.#at++] = code;
      }
      if (place === length) return this;
      this.#at = begin;
    }
    this.#room(length);
    const bytes = encoder.encode(text);
    return this.#head(3, bytes.length).#raw(bytes);
  }

  bytes(bytes) {
    return this.#head(2, bytes.length).#raw(bytes);
  }

  #raw(bytes) {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  #float(number) {
    this.#room(9);
    this.#bytes[this.#at++] = 0xfb;
    this.#view.setFloat64(this.#at, number);
    this.#at += 8;
    return this;
  }

  #number(number) {
    if (!Number.isSafeInteger(number) || Object.is(number, -0)) return this.#float(number);
    return number < 0 ? this.#head(1, -1 - number) : this.#head(0, number);
  }

  #bigint(number, path) {
    if (BigInt.asIntN(64, number) !== number) {
      throw refused(path, `${number}n is beyond 64 bits; the largest integers are ±2^63`);
    }
    this.#room(9);
    this.#bytes[this.#at++] = number < 0n ? 0x3b : 0x1b;
    this.#view.setBigUint64(this.#at, number < 0n ? -1n - number : number);
    this.#at += 8;
    return this;
  }

  /** Any value; what cannot be one is refused with the path of its place. */
  value(value) {
    this.#limit = this.#at + LARGEST;
    this.#value(value, 0, null);
    this.#limit = Infinity;
    return this;
  }

  // `place` is { up, name } of the place in what holds it: a list from the value to the root, made into words when needed.
  #value(value, depth, place) {
    switch (typeof value) {
      case "string":
        if (!isWellFormed(value)) throw refused(place, "text with half a surrogate pair is no Unicode; mend it, or keep bytes");
        return this.text(value);
      case "number":
        return this.#number(value);
      case "boolean":
        return this.flag(value);
      case "bigint":
        return this.#bigint(value, place);
      case "object":
        return value === null ? this.null() : this.#object(value, depth, place);
      case "undefined":
        throw refused(place, "undefined cannot be kept; leave it out, or use null");
      default:
        throw refused(place, `a ${typeof value} cannot be kept`);
    }
  }

  #object(value, depth, place) {
    const prototype = Object.getPrototypeOf(value);
    // Most are these.
    if ((prototype === Object.prototype || prototype === null) && depth < DEEPEST) return this.#plain(value, depth, place);
    if (value instanceof Uint8Array) return this.bytes(value);
    if (value instanceof ArrayBuffer) return this.bytes(new Uint8Array(value));
    if (value instanceof Date) {
      if (Number.isNaN(value.getTime())) throw refused(place, "this Date is no time");
      const year = value.getUTCFullYear();
      if (year < 0 || year > 9999) throw refused(place, "a Date before the year 0 or after 9999 cannot be kept, since RFC 3339 has no text for it");
      return this.#head(6, TAG_MOMENT).text(value.toISOString());
    }
    if (value instanceof Temporal) {
      if (value.kind === "date") return this.#head(6, TAG_DATE).text(value.text);
      return this.#head(6, TAG_NAMED).list(2).text(value.kind).text(value.text);
    }
    if (depth >= DEEPEST) {
      const again = cycle(place, value);
      throw refused(again ?? place, again ? "the value holds itself" : `the value nests more than ${DEEPEST} deep`);
    }
    if (Array.isArray(value)) {
      this.list(value.length);
      // Not `forEach`, which passes over holes: those are undefined.
      for (let at = 0; at < value.length; at++) this.#value(value[at], depth + 1, { up: place, name: at, of: value });
      return this;
    }
    if (value instanceof Float32Array || value instanceof Float64Array) {
      this.list(value.length);
      for (const number of value) this.#float(number);
      return this;
    }
    if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
      throw refused(place, `an instance of ${prototype.constructor?.name ?? "a class"} cannot be kept; make a plain object of it`);
    }
    if (ArrayBuffer.isView(value) || prototype?.[Symbol.toStringTag] !== undefined) {
      throw refused(place, `a ${value[Symbol.toStringTag] ?? "view"} cannot be kept; make a plain object, a list or a Uint8Array of it`);
    }
    return this.#plain(value, depth, place);
  }

  #plain(value, depth, place) {
    const keys = Object.keys(value);
    this.map(keys.length);
    for (const key of keys) {
      if (!isWellFormed(key)) throw refused({ up: place, name: key, of: value }, "a key with half a surrogate pair is no Unicode");
      this.text(key);
      const item = value[key];
      // A number is never refused.
      if (typeof item === "number") this.#number(item);
      else this.#value(item, depth + 1, { up: place, name: key, of: value });
    }
    return this;
  }
}

/** Whether text is Unicode: with no half of a surrogate pair alone. */
export const isWellFormed = String.prototype.isWellFormed
  ? (text) => text.isWellFormed()
  : (text) => !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);

/** The outermost place on the way to `value` that holds what holds it. */
function cycle(place, value) {
  let outermost = null;
  const inside = [value];
  for (let up = place; up !== null; up = up.up) {
    // `up` leads to the last of these.
    if (isAbove(up, inside.at(-1))) outermost = up;
    inside.push(up.of);
  }
  return outermost;
}

function isAbove(place, value) {
  for (let up = place; up !== null; up = up.up) if (up.of === value) return true;
  return false;
}

/** Where a value stands, as `rooms[2].name`. */
function path(place) {
  let text = "";
  for (; place !== null; place = place.up) {
    const { name } = place;
    const step = typeof name === "number" ? `[${name}]` : /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
    text = step + text;
  }
  return text.replace(/^\./, "");
}

function refused(place, why) {
  const where = path(place);
  return new AnabranchError("INVALID_VALUE", `${where === "" ? "the value" : `the value at ${where}`}: ${why}`, { path: where });
}

/** Names of places come again and again: each is made once. A name that comes where another was takes its place. */
const NAMES = new Array(512).fill("");

/** A float's eight bytes, as they come, and its value. */
const FLOAT = new DataView(new ArrayBuffer(8));

/** Reads items of CBOR, as the engine writes them. */
export class Reader {
  #bytes;
  #at;
  #end;

  /** Reads those from a place to another. */
  constructor(bytes, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  get isAtEnd() {
    return this.#at >= this.#end;
  }

  /** The next item. */
  value() {
    const head = this.#bytes[this.#at++];
    const major = head >> 5;
    const low = head & 31;
    if (major === 7) return this.#simple(low);
    const number = low < 24 ? low : this.#number(low);
    switch (major) {
      case 0:
        return number;
      case 1:
        return number < Number.MAX_SAFE_INTEGER ? -1 - number : narrow(-1n - BigInt(number));
      case 2:
        this.#at += number;
        return this.#bytes.slice(this.#at - number, this.#at);
      case 3:
        return this.#text(number);
      case 4: {
        const list = new Array(number);
        for (let at = 0; at < number; at++) list[at] = this.value();
        return list;
      }
      case 5: {
        const map = {};
        for (let at = 0; at < number; at++) {
          const key = this.#name();
          // Assigned, it would be the object's prototype.
          if (key === "__proto__") {
            Object.defineProperty(map, key, { value: this.value(), enumerable: true, configurable: true, writable: true });
          } else {
            map[key] = this.value();
          }
        }
        return map;
      }
      default:
        return number === TAG_VERSION ? this.#version() : tagged(number, this.value());
    }
  }

  /**
   * A version, which most answers are: a list of its flags; its time, its id and that of the one before, as one text; namespace and
   * key; the value; the ids of its causes, as one text. What is not there is left out, and the flags say what is.
   */
  #version() {
    this.#at += 1;
    const flags = this.#bytes[this.#at++];
    const said = this.value();
    const timestamp = said.slice(0, TIME);
    const versionId = said.slice(TIME, TIME + ID);
    // What most are has one shape.
    if (flags === VALUED) return { value: this.value(), timestamp, versionId };
    if (flags === (VALUED | PRECEDED)) return { value: this.value(), timestamp, versionId, previousVersion: said.slice(TIME + ID) };
    const version = {};
    if (flags & KEYED) {
      version.namespace = this.value();
      version.key = this.value();
    }
    if (flags & VALUED) version.value = this.value();
    else version.deleted = true;
    version.timestamp = timestamp;
    version.versionId = versionId;
    if (flags & PRECEDED) version.previousVersion = said.slice(TIME + ID);
    if (flags & CAUSED) {
      const causes = this.value();
      version.causes = Array.from({ length: causes.length / ID }, (_, at) => causes.slice(at * ID, (at + 1) * ID));
    }
    return version;
  }

  #number(low) {
    const at = this.#at;
    const bytes = this.#bytes;
    switch (low) {
      case 24:
        this.#at += 1;
        return bytes[at];
      case 25:
        this.#at += 2;
        return (bytes[at] << 8) | bytes[at + 1];
      case 26:
        this.#at += 4;
        return bytes[at] * 0x1000000 + ((bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]);
      default:
        return narrow(this.#copied(8).getBigUint64(0));
    }
  }

  #simple(low) {
    switch (low) {
      case 20:
        return false;
      case 21:
        return true;
      case 26:
        return this.#copied(4).getFloat32(0);
      case 27:
        return this.#copied(8).getFloat64(0);
      default:
        return null;
    }
  }

  /** The next bytes, where they can be read as a number: a view of each answer would cost more. */
  #copied(count) {
    for (let at = 0; at < count; at++) FLOAT.setUint8(at, this.#bytes[this.#at + at]);
    this.#at += count;
    return FLOAT;
  }

  /** The next item, which names a place of a map. */
  #name() {
    const bytes = this.#bytes;
    const begin = this.#at + 1;
    const length = bytes[this.#at] - 0x60;
    if (!(length > 0 && length < 24)) return this.value();
    const slot = (length * 31 + bytes[begin] * 7 + bytes[begin + length - 1] * 13 + bytes[begin + (length >> 1)]) & (NAMES.length - 1);
    const known = NAMES[slot];
    let same = 0;
    // Other characters than those of ASCII have no bytes that are like them.
    if (known.length === length) while (same < length && known.charCodeAt(same) === bytes[begin + same]) same++;
    if (same === length) {
      this.#at = begin + length;
      return known;
    }
    const name = this.value();
    if (name.length === length) NAMES[slot] = name;
    return name;
  }

  #text(length) {
    const begin = this.#at;
    this.#at += length;
    if (length < 24) {
      let text = "";
      for (let at = begin; at < this.#at; at++) {
        const code = this.#bytes[at];
        if (code > 0x7f) return decoder.decode(this.#bytes.subarray(begin, this.#at));
        text += String.fromCharCode(code);
      }
      return text;
    }
    return decoder.decode(this.#bytes.subarray(begin, this.#at));
  }
}

/** A number if it is a safe one. */
function narrow(integer) {
  if (typeof integer === "number") return integer;
  return integer >= -9007199254740991n && integer <= 9007199254740991n ? Number(integer) : integer;
}

function tagged(tag, item) {
  if (tag === TAG_DATE) return new Temporal("date", item);
  if (tag === TAG_NAMED) return new Temporal(item[0], item[1]);
  // A moment of UTC to the millisecond is a Date; what a Date would lose is kept as it is.
  const date = new Date(item);
  return isWhole(item) && !Number.isNaN(date.getTime()) ? date : new Temporal("datetime", item);
}

const isWhole = (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3}(0*))?Z$/.test(text);
