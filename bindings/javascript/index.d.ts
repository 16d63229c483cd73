/** What can be kept: it comes back exactly as it went in. */
export type Value =
  | null
  | boolean
  /** A safe integer is kept as an integer, any other number as a float. */
  | number
  /** An integer of 64 bits. One within ±2^53 comes back as a `number`. */
  | bigint
  | string
  | Uint8Array
  | ArrayBuffer
  | Float32Array
  | Float64Array
  | Date
  | Temporal
  | readonly Value[]
  | { readonly [key: string]: Value };

/** A date, a time or a duration that a `Date` cannot hold: its kind, and its text in ISO 8601. */
export class Temporal {
  constructor(kind: TemporalKind, text: string);
  readonly kind: TemporalKind;
  readonly text: string;
  toString(): string;
  toJSON(): string;
}
export type TemporalKind = "date" | "time" | "localtime" | "datetime" | "localdatetime" | "duration";

/** Where a database is kept. */
export type Storage = "memory" | "opfs" | "indexeddb" | "file";

export interface OpenOptions {
  /** The database's name: those of one origin that are opened by one name share what is kept. `"default"` unless given. */
  name?: string;
  /** Where it is kept: in memory unless given. */
  storage?: Storage;
  /** How many bytes of values are held decoded, to be read without a search: 64 MiB unless given. */
  hotBytes?: number;
  /** The records, by their names. */
  records?: { readonly [name: string]: RecordOptions };
  /** The MQTT brokers that links go to. */
  connectors?: readonly ConnectorOptions[];
}

/** How a record holds values: each that came (`spmc-ring`), the newest (`single-latest`), one for whoever takes it (`mailbox`), or each for every reader (`queue`). */
export type BufferKind = "spmc-ring" | "single-latest" | "mailbox" | "queue";

export interface RecordOptions {
  /** `"spmc-ring"` unless given. */
  buffer?: BufferKind;
  /** Of a ring or a queue: how many values it holds; 64 unless given. */
  capacity?: number;
  /** Of a queue: how many read it; 1 unless given. */
  consumers?: number;
  /** Whether several may write to it: a link and `produce`, say. */
  shared?: boolean;
  /** The namespace in which each value becomes a version: under the record's name, or a key like `"{device}"`, filled in from the value. */
  keep?: string | { namespace: string; key?: string };
  /** Where its values come from: `"mqtt://plant/{device}/temperature"`; bound names become fields of the value. */
  from?: string | LinkOptions | readonly (string | LinkOptions)[];
  /** Where its values go: `"mqtt://copy/{device}"`, filled in from the value. */
  to?: string | LinkOptions | readonly (string | LinkOptions)[];
}

export interface LinkOptions {
  address: string;
  /** `"json"` unless given. */
  format?: "json" | "cbor" | "text" | "bytes";
  qos?: 0 | 1 | 2;
  retain?: boolean;
}

/** An MQTT broker, spoken to over WebSocket. */
export interface ConnectorOptions {
  /** `ws://host:port/path` or `wss://…`. */
  url: string;
  /** Needed where there are several: links then say `mqtt+name://…`. */
  name?: string;
  clientId?: string;
  user?: string;
  password?: string;
}

/** A named place that values pass through. */
export interface Record<T = Value> {
  readonly name: string;
  /** Puts a value in, and resolves to its number in the record. It never waits; a queue without room rejects with `QUEUE_FULL`. */
  produce(value: T): Promise<number>;
  /** Follows it from now on; a `single-latest` begins with its current value. */
  consume(callback?: (value: T) => void): Consumer<T>;
}

/** Follows a record: `missed` counts the values that were gone before they were read. */
export interface Consumer<T = Value> extends AsyncIterableIterator<T> {
  readonly ready: Promise<void>;
  readonly missed: number;
  close(): void;
  [Symbol.dispose](): void;
}

export interface ServiceContext {
  readonly db: Anabranch;
  /** Aborted when the service is to end. */
  readonly signal: AbortSignal;
  record<T extends Value = Value>(name: string): Record<T>;
  subscribe: Anabranch["subscribe"];
  /** Waits so many milliseconds; rejects when the service is to end. */
  sleep(milliseconds: number): Promise<void>;
}

export interface ServiceOptions {
  /** When it is started again: `"on-failure"` unless given. */
  restart?: "never" | "on-failure" | "always";
  /** Milliseconds before it is, doubled each time: 100 unless given. */
  backoff?: number;
  /** How often at most: 5 unless given. */
  limit?: number;
}

export interface Service {
  readonly name: string;
  readonly restarts: number;
  /** Resolves when it has ended for good; rejects with what its last run failed with. */
  readonly ended: Promise<void>;
  /** Tells it to end, and resolves when it has. */
  stop(): Promise<void>;
}

/** A time: RFC 3339 with up to nine digits after the seconds, as every version has it, or a `Date`. */
export type Time = string | Date;

/** One write of a key. */
export interface Version<T = Value> {
  value: T;
  /** RFC 3339 in UTC with nanoseconds. Later versions have later times, so texts sort as times do. */
  timestamp: string;
  /** Its name: unique, ordered by time, and computed from all that it says. */
  versionId: string;
  /** The `versionId` of the version before; none for the first. */
  previousVersion?: string;
  /** The versions that it was made from. */
  causes?: string[];
}

/** A version that says that the key was deleted. */
export interface Deletion {
  deleted: true;
  value?: undefined;
  timestamp: string;
  versionId: string;
  previousVersion?: string;
  causes?: string[];
}

/** A version, and the key that it is of. */
export type Keyed<V> = V & { namespace: string; key: string };

export interface WriteOptions {
  /** The ids of the versions that it was made from: `why` and `effects` walk along them. */
  because?: readonly string[];
}

/** One write of a batch. */
export type BatchWrite = WriteOptions & {
  namespace: string;
  key: string;
  /** The version that has to be the newest; `null`: there may be none. */
  expected?: string | null;
} & ({ value: Value; deleted?: false } | { deleted: true; value?: undefined });

export interface HistoryOptions {
  /** From this time on. */
  from?: Time;
  /** Up to this time. */
  to?: Time;
  /** Before this time: with the last one's `timestamp`, the page after. */
  before?: Time;
  /** 100 unless given. */
  limit?: number;
}

export interface ListOptions {
  /** As of this time; now unless given. */
  at?: Time;
  limit?: number;
}

/** A place where two values differ. */
export interface Change {
  /** Where, as `rooms[2].name`; empty where the whole is another. */
  path: string;
  before?: Value;
  after?: Value;
}

export interface Diff {
  before?: Version | Deletion;
  after?: Version | Deletion;
  changes: Change[];
}

/** A walk along causes: the version itself, then those it leads to, the nearest first. */
export interface Trace {
  steps: { depth: number; via?: string; versionId: string; version: Keyed<Version | Deletion> | null }[];
  /** Whether these are all. */
  isWhole: boolean;
}

export interface Tier {
  versions: number;
  bytes: number;
  limit?: number;
}

export interface Stats {
  keyCount: number;
  totalVersions: number;
  namespaceCount: number;
  memoryBytes: number;
  diskBytes: number;
  commits: number;
  oldest?: string;
  newest?: string;
  hot: Tier;
  warm: Tier;
  cold: Tier;
  deep: Tier;
}

export interface Damage {
  namespace?: string;
  key?: string;
  since?: string;
  what: string;
}

export interface SubscribeOptions {
  /** Only keys that begin with this. */
  prefix?: string;
  /** Where to begin: with what is written from now on, unless given; with the first version that there is; with those of a time or later;
   *  or after the version of an id. */
  from?: "now" | "beginning" | Time | string;
}

/** Follows a namespace: each version once, in the order in which they were written, none left out. */
export interface Subscription<T = Value> extends AsyncIterableIterator<Keyed<Version<T> | Deletion>> {
  /** Resolves when nothing that is written from now on is missed. */
  readonly ready: Promise<void>;
  /** Follows no more. */
  close(): void;
  [Symbol.dispose](): void;
}

/** An open database. */
export class Anabranch {
  private constructor();

  /** Opens a database, and makes it if there is none. */
  static open(options?: OpenOptions): Promise<Anabranch>;

  /** Where it is kept: what was asked for, or what this host has. */
  readonly storage: Storage;
  readonly name: string | undefined;

  /** Writes a value as one more version of a key. It resolves when it is kept. */
  put<T extends Value>(namespace: string, key: string, value: T, options?: WriteOptions): Promise<Version<T>>;
  /** Writes a value if the newest version is the one expected, or, with `null`, if there is none. Else: `CONFLICT`. */
  putIf<T extends Value>(namespace: string, key: string, value: T, expected: string | null, options?: WriteOptions): Promise<Version<T>>;
  /** Deletes a key: with one more version, which says so. What it was stays in its history. */
  delete(namespace: string, key: string, options?: WriteOptions & { expected?: string }): Promise<Deletion>;
  /** Makes all of several writes of different keys at once, or none of them. */
  writeBatch(writes: readonly BatchWrite[]): Promise<(Version | Deletion)[]>;

  /** The newest version of a key. Rejects with `KEY_NOT_FOUND` where it is not, or is deleted. */
  get<T = Value>(namespace: string, key: string): Promise<Version<T>>;
  /** The value that a key had at a time. Rejects with `NO_VALUE_AT` before its first version. */
  getAt<T = Value>(namespace: string, key: string, timestamp: Time): Promise<T>;
  /** The version that a key had at a time. */
  getVersionAt<T = Value>(namespace: string, key: string, timestamp: Time): Promise<Version<T>>;
  /** A version of a key by its id. */
  getVersion<T = Value>(namespace: string, key: string, versionId: string): Promise<Version<T> | Deletion>;
  /** A version by its id alone, with the key that it is of. */
  findVersion<T = Value>(versionId: string): Promise<Keyed<Version<T> | Deletion>>;
  /** The versions of a key, newest first, deletions among them. */
  history<T = Value>(namespace: string, key: string, options?: HistoryOptions): Promise<(Version<T> | Deletion)[]>;

  /** The namespaces that have keys. */
  listNamespaces(options?: ListOptions): Promise<string[]>;
  /** The keys of a namespace, in their order. */
  listKeys(namespace: string, options?: ListOptions & { prefix?: string; after?: string }): Promise<string[]>;
  /** The whole database as it was at a time. */
  snapshotAt(timestamp: Time): Promise<Keyed<Version>[]>;
  /** What changed between two versions of a key, or between what it was at two times. */
  diff(namespace: string, key: string, before: Time, after: Time): Promise<Diff>;
  /** What a version was made from, what those were made from, and so on. */
  why(versionId: string, options?: { limit?: number }): Promise<Trace>;
  /** What was made from a version, what was made from that, and so on. */
  effects(versionId: string, options?: { limit?: number }): Promise<Trace>;

  /** Follows the versions of a namespace. With a callback it is called with each; without one, iterate over it. */
  subscribe<T = Value>(namespace: string, callback: (version: Keyed<Version<T> | Deletion>) => void): Subscription<T>;
  subscribe<T = Value>(
    namespace: string,
    options?: SubscribeOptions,
    callback?: (version: Keyed<Version<T> | Deletion>) => void,
  ): Subscription<T>;

  /** How much there is, and what it takes. */
  stats(): Promise<Stats>;
  /** Proves all that was written: each id is computed again. */
  verify(): Promise<{ keys: number; versions: number; damages: Damage[] }>;
  /** The whole database as a file: all that was written before. */
  export(options?: { stream?: false }): Promise<Uint8Array>;
  /**
   * The same as a stream, in pieces of 256 KiB at most: it holds a few of them in memory, however large the file is, and the next is
   * made when one is taken. Whoever does not read it to its end cancels it. If the tab that has the database goes meanwhile, it fails
   * with `EXPORT_FAILED`.
   */
  export(options: { stream: true }): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  /**
   * Reads a file that was exported, and writes what is not here yet: to import the same again changes nothing. A stream is taken piece
   * by piece, and not held. Each version is proven before it is taken, and what was read before an error stays; to go on, import the
   * file again. `INVALID_IMPORT`: it is no whole export; or a key has another history here, or a version of the file was written at the
   * very time of one of another key here, and then it can only be imported elsewhere.
   */
  import(file: Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): Promise<{ new: number; known: number }>;

  /**
   * Asks the browser not to clear what is kept when disk space runs short; some ask the user. Resolves to whether it will not. A file
   * is kept anyway, and memory never.
   */
  persist(): Promise<boolean>;

  /** A record that was declared when the database was opened. */
  record<T extends Value = Value>(name: string): Record<T>;
  /** The records that were declared. */
  records(): Promise<{ name: string; buffer: BufferKind; values: number }[]>;
  /** Runs an async function over records, and starts it again by its policy when it fails. */
  service(name: string, run: (context: ServiceContext) => Promise<void>, options?: ServiceOptions): Service;

  /** Ends services, links and subscriptions, and closes it. What was acknowledged is kept. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What went wrong: a code that stays the same, and a sentence that says what happened and what to do. */
export class AnabranchError extends Error {
  constructor(code: string, message: string, details?: { readonly [name: string]: unknown });
  readonly code: ErrorCode;
  /** Of a `CONFLICT`: the version that is there. */
  readonly currentVersion?: string;
  /** Of an `INVALID_VALUE`: where. */
  readonly path?: string;
  /** Of a `NO_VALUE_AT`: when the key's first version was written. */
  readonly first?: string;
  /** Of a `NO_LONGER_KEPT`: when the oldest version was written that is. */
  readonly oldest?: string;
}

export type ErrorCode =
  | "KEY_NOT_FOUND"
  | "NO_VALUE_AT"
  | "NO_LONGER_KEPT"
  | "VERSION_NOT_FOUND"
  | "CONFLICT"
  | "SAME_KEY_TWICE"
  | "INVALID_NAME"
  | "INVALID_VALUE"
  | "INVALID_ARGUMENT"
  | "INVALID_TIMESTAMP"
  | "INVALID_VERSION_ID"
  | "INVALID_IMPORT"
  | "VALUE_TOO_LARGE"
  | "TOO_MANY_CAUSES"
  | "NO_LIMIT"
  | "TIME_IS_UP"
  | "EXPORT_FAILED"
  | "STORAGE_FULL"
  | "STORAGE_FAILED"
  | "STORAGE_NOT_HERE"
  | "DAMAGED"
  | "IN_USE"
  | "NOT_A_DATABASE"
  | "NEWER_FORMAT"
  | "REOPEN_NEEDED"
  | "RECORD_NOT_FOUND"
  | "RECORD_TAKEN"
  | "NOT_SHARED"
  | "QUEUE_FULL"
  | "INVALID_CONFIGURATION"
  | "CLOSED"
  | "PANICKED"
  | "ENGINE_NOT_LOADED";
