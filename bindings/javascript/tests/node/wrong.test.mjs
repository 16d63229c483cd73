// Every method with what it does not take: an AnabranchError with a code, and the database works on.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { ROOT, door } from "../package.mjs";
import { Anabranch, AnabranchError, PACKAGE, folder, opened, part, refused } from "./rig.mjs";

const NOTHING = [undefined, null];
const NO_TEXT = [...NOTHING, 5, NaN, true, 10n, Symbol("s"), () => "x", {}, [], ["n"], new Date(), new String("n"), Object.create(null), { toString: () => "n" }];
const NO_RECORD = [null, 5, "text", true, 10n, Symbol("s"), () => ({})];
const NO_COUNT = [null, -1, 1.5, NaN, Infinity, 2 ** 53, "5", 5n, {}, []];
const NO_TIME = [...NOTHING, 0, 5n, true, {}, [], Symbol("s"), () => 1];
const NO_LIST = [...NOTHING, 5, "text", {}, { length: 1 }, new Set(["x"]), () => []];
const NO_FUNCTION = [null, 5, "text", {}, []];

const ID = "0".repeat(64);
const NOW = "2026-03-29T13:37:00Z";
/** For each method what it takes, and for each place what it does not. */
const WRONG = {
  put: [["n", "k", 1], { 0: NO_TEXT, 1: NO_TEXT, 3: NO_RECORD }],
  putIf: [["n", "k", 1, null], { 0: NO_TEXT, 1: NO_TEXT, 3: NO_TEXT.filter((id) => id !== null), 4: NO_RECORD }],
  delete: [["n", "k"], { 0: NO_TEXT, 1: NO_TEXT, 2: NO_RECORD }],
  writeBatch: [[[]], { 0: NO_LIST }],
  get: [["n", "k"], { 0: NO_TEXT, 1: NO_TEXT }],
  getAt: [["n", "k", NOW], { 0: NO_TEXT, 1: NO_TEXT, 2: NO_TIME }],
  getVersionAt: [["n", "k", NOW], { 0: NO_TEXT, 1: NO_TEXT, 2: NO_TIME }],
  getVersion: [["n", "k", ID], { 0: NO_TEXT, 1: NO_TEXT, 2: NO_TEXT }],
  findVersion: [[ID], { 0: NO_TEXT }],
  history: [["n", "k"], { 0: NO_TEXT, 1: NO_TEXT, 2: [...NO_RECORD.slice(1), ...NO_COUNT.map((limit) => ({ limit })).slice(1), { from: 5 }, { to: {} }, { before: true }] }],
  listNamespaces: [[], { 0: [...NO_RECORD.slice(1), ...NO_COUNT.map((limit) => ({ limit })), { at: 5 }] }],
  listKeys: [["n"], { 0: NO_TEXT, 1: [...NO_RECORD.slice(1), { prefix: 5 }, { after: {} }, { at: 5 }, { limit: -1 }] }],
  snapshotAt: [[NOW], { 0: NO_TIME }],
  diff: [["n", "k", NOW, NOW], { 0: NO_TEXT, 1: NO_TEXT, 2: NO_TIME, 3: NO_TIME }],
  why: [[ID], { 0: NO_TEXT, 1: [...NO_RECORD.slice(1), { limit: -1 }, { limit: "1" }] }],
  effects: [[ID], { 0: NO_TEXT, 1: [...NO_RECORD.slice(1), { limit: 0.5 }] }],
  import: [[new Uint8Array(1)], { 0: [...NOTHING, 5, "text", {}, [1], () => 1, Symbol("s"), 5n] }],
  subscribe: [["n"], { 0: NO_TEXT, 1: [5, "text", true, { prefix: 5 }, { from: 5 }, { from: null }, { from: {} }], 2: NO_FUNCTION }],
};

for (const [method, [right, places]] of Object.entries(WRONG)) {
  test(`${method} refuses what it does not take`, async (test) => {
    const db = await opened(test);
    await db.put("before", "k", 1);
    for (const [place, wrong] of Object.entries(places)) {
      for (const given of wrong) {
        const all = [...right];
        while (all.length < place) all.push(undefined);
        all[place] = given;
        try {
          await refused("INVALID_ARGUMENT", () => db[method](...all));
        } catch (error) {
          error.message = `argument ${place}: ${typeof given} ${typeof given === "object" && given !== null ? JSON.stringify(given) : String(given)}: ${error.message}`;
          throw error;
        }
      }
    }
    assert.equal((await db.get("before", "k")).value, 1);
    await db.put("after", "k", 2);
    assert.deepEqual(await db.listNamespaces(), ["after", "before"]);
  });
}

test("a batch's writes are looked at one by one", async (test) => {
  const db = await opened(test);
  const right = { namespace: "n", key: "k", value: 1 };
  for (const write of [undefined, null, 5, "x", {}, { ...right, namespace: 5 }, { ...right, key: undefined }, { ...right, expected: 5 }, { ...right, because: "x" }, { ...right, because: [5] }]) {
    await refused("INVALID_ARGUMENT", db.writeBatch([{ ...right, key: "other" }, write]));
  }
  assert.deepEqual(await db.listNamespaces(), []);
});

test("causes that are none are refused", async (test) => {
  const db = await opened(test);
  for (const because of [...NO_LIST.slice(1), [5], [undefined], [null]]) await refused("INVALID_ARGUMENT", db.put("n", "k", 1, { because }));
  const { versionId } = await db.put("n", "k", 1);
  await refused("TOO_MANY_CAUSES", db.put("n", "k", 1, { because: new Array(100_000).fill(versionId) }));
});

test("names that are none are refused", async (test) => {
  const db = await opened(test);
  for (const name of ["", "x".repeat(70_000)]) {
    await refused("INVALID_NAME", db.put(name, "k", 1));
    await refused("INVALID_NAME", db.put("n", name, 1));
    await refused("INVALID_NAME", db.writeBatch([{ namespace: "n", key: name, value: 1 }]));
  }
  // Two of those would become one and the same.
  await refused("INVALID_ARGUMENT", db.put("n", "\ud800", 1));
  await refused("INVALID_ARGUMENT", db.get("n", "\udc00"));
  await db.put("n\u0000", "😀".repeat(20), 1);
  assert.deepEqual(await db.listKeys("n\u0000"), ["😀".repeat(20)]);
});

test("limits of 0 are refused", async (test) => {
  const db = await opened(test);
  const { versionId } = await db.put("n", "k", 1);
  await refused("NO_LIMIT", db.history("n", "k", { limit: 0 }));
  await refused("NO_LIMIT", db.listKeys("n", { limit: 0 }));
  await refused("NO_LIMIT", db.listNamespaces({ limit: 0 }));
  await refused("NO_LIMIT", db.why(versionId, { limit: 0 }));
});

test("text that is no time, and no version id", async (test) => {
  const db = await opened(test);
  await db.put("n", "k", 1);
  for (const time of ["", "yesterday", "2026-13-01T00:00:00Z", "1492-10-12T00:00:00Z"]) {
    await refused("INVALID_TIMESTAMP", db.getAt("n", "k", time));
    await refused("INVALID_TIMESTAMP", db.snapshotAt(time));
    await refused("INVALID_TIMESTAMP", db.history("n", "k", { from: time }));
  }
  for (const id of ["", "beef", ID, "g".repeat(64), "Ａ".repeat(64)]) {
    await refused("INVALID_VERSION_ID", db.getVersion("n", "k", id));
    await refused("INVALID_VERSION_ID", db.findVersion(id));
    await refused("INVALID_VERSION_ID", db.why(id));
    await refused("INVALID_VERSION_ID", db.putIf("n", "k", 1, id));
    await refused("INVALID_VERSION_ID", db.put("n", "k", 1, { because: [id] }));
  }
});

test("a Date that is no time is refused wherever one is taken", async (test) => {
  const db = await opened(test);
  const none = new Date("nonsense");
  await refused("INVALID_TIMESTAMP", db.getAt("n", "k", none));
  await refused("INVALID_TIMESTAMP", db.history("n", "k", { from: none }));
  await refused("INVALID_TIMESTAMP", () => db.subscribe("n", { from: none }));
});

test("open refuses what it does not take", async (test) => {
  for (const options of [null, 5, "memory", [], { nmae: "x" }, { name: 5 }, { name: "" }, { name: "\ud800" }, { storage: "disk" }, { storage: 5 }, { storage: null }, { storage: Symbol("s") }, { storage: 5n }, { storage: "file" }, { hotBytes: -1 }, { hotBytes: "1" }, { hotBytes: 2 ** 40 }, { storage: "file", name: "a\u0000b" }]) {
    await refused("INVALID_ARGUMENT", () => Anabranch.open(options));
  }
  await refused("STORAGE_NOT_HERE", Anabranch.open({ storage: "opfs" }));
  await refused("STORAGE_NOT_HERE", Anabranch.open({ storage: "indexeddb", name: "x" }));
  await refused("STORAGE_FAILED", Anabranch.open({ storage: "file", name: import.meta.filename }));
  await refused("STORAGE_FAILED", Anabranch.open({ storage: "file", name: join(import.meta.filename, "below") }));
  const db = await opened(test, { storage: "file", name: folder(test) });
  await db.put("n", "k", 1);
});

test("an engine that panics says so, ends those who follow, and can be opened again", async (test) => {
  const directory = folder(test);
  const [db, other] = [await opened(test, { storage: "file", name: directory }), await opened(test, { storage: "file", name: folder(test) })];
  const elsewhere = await opened(test);
  await db.put("n", "acknowledged", 1);
  const following = db.subscribe("n");
  await following.ready;
  const next = following.next();
  panicking(() => refused("PANICKED", db.put("n", "k", 2)));
  const error = await refused("PANICKED", next);
  assert.match(error.message, /open the database again/);
  // It traps in its clock: the frames say so, with the symbols that the build has left beside the package.
  assert.match(named(error.message, "engine-node"), / \(at\s+<\S*WasmAdapter as .*unix_time.*\n.*engine_call/s);
  assert.deepEqual(await following.next(), { done: true, value: undefined });
  await refused("PANICKED", db.get("n", "acknowledged"));
  await refused("PANICKED", other.stats());
  // What has no directory has another engine.
  await elsewhere.put("n", "k", 1);
  await db.close();
  const again = await opened(test, { storage: "file", name: directory });
  assert.equal((await again.get("n", "acknowledged")).value, 1);
  await again.put("n", "k", 3);
  assert.deepEqual((await again.verify()).damages, []);
});

test("a panic says what it said, and the frames where", async () => {
  // One of the parts, which no door has loaded.
  const engine = await part("engine.js");
  engine.initSync({ module: readFileSync(join(PACKAGE, "engine_bg.wasm")) });
  const { stackTraceLimit } = Error;
  // More than there can be.
  assert.throws(() => engine.Engine.memory(0, () => {}).room(0xffffffff), WebAssembly.RuntimeError);
  assert.equal(Error.stackTraceLimit, stackTraceLimit);
  assert.match(engine.panicked(), /it panicked: capacity overflow \(at wasm-function\[\d+\]:0x[0-9a-f]+ < /);
  assert.match(named(engine.panicked(), "engine"), /make_room.*\n.*engine_room/s);
});

test("a directory whose engine has panicked is free at once, closed or not", async (test) => {
  const directory = folder(test);
  const db = await opened(test, { storage: "file", name: directory });
  await db.put("n", "k", 1);
  panicking(() => refused("PANICKED", db.put("n", "k", 2)));
  const again = await opened(test, { storage: "file", name: directory });
  assert.equal((await again.get("n", "k")).value, 1);
});

test("a panic of a task, while nobody calls, ends those who follow; nothing enters the engine any more", async (test) => {
  const db = await opened(test, { records: { readings: { keep: "readings" } } });
  const following = db.subscribe("readings");
  await following.ready;
  const next = following.next();
  const { now } = Date;
  Date.now = () => {
    throw new WebAssembly.RuntimeError("unreachable");
  };
  try {
    // It is kept after that, by a task, which asks for the time.
    await db.record("readings").produce(1);
    await refused("PANICKED", next);
  } finally {
    Date.now = now;
  }
  await refused("PANICKED", db.get("n", "k"));
  const again = await opened(test);
  await again.put("n", "k", 1);
});

test("a call does not enter an engine that has panicked by itself, though nobody was told yet", async () => {
  const { Instance } = await part("local.js");
  const instance = new Instance({ died: () => new Promise(() => {}), panicked: () => "a task did" });
  const told = [];
  instance.watch((error) => told.push(error.code));
  const enter = () => instance.guard(() => assert.fail("it was entered"));
  assert.throws(enter, { code: "PANICKED", message: /a task did/ });
  assert.throws(enter, { code: "PANICKED" });
  assert.deepEqual(told, ["PANICKED"]);
});

test("the sockets of an engine that has panicked are closed", async (test) => {
  const { WebSocketServer } = await import(pathToFileURL(join(PACKAGE, "node_modules/ws/wrapper.mjs")).href);
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  test.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  await once(server, "listening");
  const connected = once(server, "connection");
  const url = `ws://127.0.0.1:${server.address().port}/mqtt`;
  const db = await opened(test, { connectors: [{ url }], records: { readings: { from: "mqtt://readings" } } });
  const [socket] = await connected;
  const closed = once(socket, "close");
  panicking(() => refused("PANICKED", db.put("n", "k", 1)));
  await closed;
});

/** A message with the names of its functions, by the symbols of an engine. */
function named(message, engine) {
  const where = join(ROOT, "bindings/javascript/where.mjs");
  return execFileSync(process.execPath, [where, join(PACKAGE, `../symbols/${engine}.txt`)], { input: message, encoding: "utf8" });
}

/** As WebAssembly fails: its clock, which it asks at each write, traps. */
function panicking(work) {
  const { now } = Date;
  Date.now = () => {
    throw new WebAssembly.RuntimeError("unreachable");
  };
  try {
    return work();
  } finally {
    Date.now = now;
  }
}

test("all errors are of one class, whichever of the doors they come from", async () => {
  assert.equal(AnabranchError.prototype instanceof Error, true);
  const [index, store] = [await door("index.js"), await door("store.js")];
  assert.notEqual(index.Anabranch, store.Anabranch);
  assert.ok(new index.AnabranchError("CLOSED", "closed") instanceof store.AnabranchError);
  assert.ok(new store.Temporal("date", "2026-03-29") instanceof index.Temporal);
  class Mine extends AnabranchError {}
  assert.ok(new Mine("CLOSED", "closed") instanceof index.AnabranchError);
  assert.ok(!(new index.AnabranchError("CLOSED", "closed") instanceof Mine));
  for (const other of [null, undefined, "text", {}, new Error("another")]) assert.ok(!(other instanceof AnabranchError));
});

test("a time of one door is a value of another", async (test) => {
  const { Temporal } = await door("store.js");
  const db = await opened(test);
  await db.put("n", "k", new Temporal("date", "2026-03-29"));
  assert.deepEqual({ ...(await db.get("n", "k")).value }, { kind: "date", text: "2026-03-29" });
});

test("databases of several engines of one process are brought together", async (test) => {
  const [file, memory, records] = [
    await opened(test, { storage: "file", name: folder(test) }),
    await opened(test),
    await opened(test, { records: { readings: {} } }),
  ];
  // In the same milliseconds, many times.
  for (let key = 0; key < 200; key++) await Promise.all([file, memory, records].map((db, at) => db.put(`n${at}`, `k${key}`, key)));
  for (const db of [memory, records]) await file.import(await db.export());
  assert.deepEqual(await file.listNamespaces(), ["n0", "n1", "n2"]);
  assert.equal((await file.stats()).totalVersions, 600);
});
