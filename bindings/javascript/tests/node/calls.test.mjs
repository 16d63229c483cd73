// Each method of a database in memory: what it gives.
import assert from "node:assert/strict";
import test from "node:test";
import { Anabranch, AnabranchError, folder, opened, refused } from "./rig.mjs";

const ID = /^[0-9a-f]{64}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;

test("open alone is in memory; its storage and name are told", async (test) => {
  const db = await opened(test);
  assert.equal(db.storage, "memory");
  assert.equal(db.name, undefined);
  assert.ok(db instanceof Anabranch);
  const directory = folder(test);
  const kept = await opened(test, { storage: "file", name: directory });
  assert.equal(kept.storage, "file");
  assert.equal(kept.name, directory);
});

test("two databases in memory know nothing of one another, not even by one name", async (test) => {
  const [one, other] = [await opened(test, { name: "same" }), await opened(test, { name: "same" })];
  await one.put("a", "b", 1);
  await refused("KEY_NOT_FOUND", other.get("a", "b"));
});

test("put and get give value, timestamp, versionId and previousVersion", async (test) => {
  const db = await opened(test);
  const first = await db.put("plant", "boiler", { celsius: 21 });
  assert.deepEqual(Object.keys(first), ["value", "timestamp", "versionId"]);
  assert.match(first.timestamp, TIME);
  assert.match(first.versionId, ID);
  const second = await db.put("plant", "boiler", { celsius: 22 }, { because: [first.versionId] });
  assert.equal(second.previousVersion, first.versionId);
  assert.deepEqual(second.causes, [first.versionId]);
  assert.ok(second.timestamp > first.timestamp && second.versionId > first.versionId);
  assert.deepEqual(await db.get("plant", "boiler"), second);
});

test("getAt, getVersionAt, getVersion and findVersion find what was", async (test) => {
  const db = await opened(test);
  const [one, two] = [await db.put("n", "k", 1), await db.put("n", "k", 2)];
  assert.equal(await db.getAt("n", "k", one.timestamp), 1);
  assert.equal(await db.getAt("n", "k", two.timestamp), 2);
  assert.deepEqual(await db.getVersionAt("n", "k", one.timestamp), one);
  assert.equal(await db.getAt("n", "k", new Date(Date.now() + 60_000)), 2);
  assert.deepEqual(await db.getVersion("n", "k", one.versionId), one);
  assert.deepEqual(await db.findVersion(two.versionId), { namespace: "n", key: "k", ...two });
  const error = await refused("NO_VALUE_AT", db.getAt("n", "k", new Date(0)));
  assert.equal(error.first, one.timestamp);
  await refused("KEY_NOT_FOUND", db.getAt("n", "other", one.timestamp));
  await db.put("n", "other", 1);
  await refused("VERSION_NOT_FOUND", db.getVersion("n", "other", one.versionId));
  const elsewhere = await opened(test);
  await refused("VERSION_NOT_FOUND", elsewhere.findVersion(one.versionId));
});

test("delete is a version that says so", async (test) => {
  const db = await opened(test);
  const put = await db.put("n", "k", 1);
  const gone = await db.delete("n", "k", { because: [put.versionId] });
  assert.equal(gone.deleted, true);
  assert.equal(gone.value, undefined);
  assert.equal(gone.previousVersion, put.versionId);
  await refused("KEY_NOT_FOUND", db.get("n", "k"));
  await refused("KEY_NOT_FOUND", db.delete("n", "k"));
  assert.deepEqual(await db.listKeys("n"), []);
  assert.deepEqual(await db.listNamespaces(), []);
  assert.deepEqual(await db.history("n", "k"), [gone, put]);
  assert.equal(await db.getAt("n", "k", put.timestamp), 1);
  const again = await db.put("n", "k", 2);
  await refused("CONFLICT", db.delete("n", "k", { expected: put.versionId }));
  await db.delete("n", "k", { expected: again.versionId });
});

test("putIf writes over what is expected, and else says what is there", async (test) => {
  const db = await opened(test);
  const first = await db.putIf("n", "k", 1, null);
  const second = await db.putIf("n", "k", 2, first.versionId, { because: [first.versionId] });
  assert.deepEqual(second.causes, [first.versionId]);
  const error = await refused("CONFLICT", db.putIf("n", "k", 3, first.versionId));
  assert.equal(error.currentVersion, second.versionId);
  await refused("CONFLICT", db.putIf("n", "k", 3, null));
  assert.equal((await refused("CONFLICT", db.putIf("n", "other", 3, first.versionId))).currentVersion, undefined);
  await refused("INVALID_ARGUMENT", db.putIf("n", "k", 3));
  assert.equal((await db.get("n", "k")).value, 2);
});

test("of many who count up with putIf none is lost", async (test) => {
  const db = await opened(test);
  await db.put("n", "count", 0);
  const up = async () => {
    for (;;) {
      const { value, versionId } = await db.get("n", "count");
      try {
        return await db.putIf("n", "count", value + 1, versionId);
      } catch (error) {
        if (error.code !== "CONFLICT") throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: 50 }, up));
  assert.equal((await db.get("n", "count")).value, 50);
  assert.equal((await db.history("n", "count")).length, 51);
});

test("a batch is written whole, or not at all", async (test) => {
  const db = await opened(test);
  const old = await db.put("n", "old", 1);
  const written = await db.writeBatch([
    { namespace: "n", key: "a", value: 1, because: [old.versionId] },
    { namespace: "m", key: "b", value: undefined === null ? 0 : null, expected: null },
    { namespace: "n", key: "old", deleted: true, expected: old.versionId },
  ]);
  assert.equal(written.length, 3);
  assert.deepEqual(written.map(({ value, deleted }) => [value, deleted]), [[1, undefined], [null, undefined], [undefined, true]]);
  assert.deepEqual(written[0].causes, [old.versionId]);
  await refused("CONFLICT", db.writeBatch([{ namespace: "n", key: "c", value: 1 }, { namespace: "n", key: "a", value: 2, expected: null }]));
  await refused("KEY_NOT_FOUND", db.get("n", "c"));
  await refused("SAME_KEY_TWICE", db.writeBatch([{ namespace: "n", key: "c", value: 1 }, { namespace: "n", key: "c", value: 2 }]));
  await refused("INVALID_ARGUMENT", db.writeBatch([{ namespace: "n", key: "c", value: 1, deleted: true }]));
  assert.deepEqual(await db.writeBatch([]), []);
});

test("history is newest first, within times, and in pages", async (test) => {
  const db = await opened(test);
  const all = [];
  for (let value = 0; value < 250; value++) all.unshift(await db.put("n", "k", value));
  assert.deepEqual(await db.history("n", "k"), all.slice(0, 100));
  assert.deepEqual(await db.history("n", "k", { limit: 1000 }), all);
  const pages = [];
  for (let before; ; ) {
    const page = await db.history("n", "k", { limit: 60, before });
    pages.push(...page);
    if (page.length === 0) break;
    before = page.at(-1).timestamp;
  }
  assert.deepEqual(pages, all);
  const [from, to] = [all[20].timestamp, all[10].timestamp];
  assert.deepEqual(await db.history("n", "k", { from, to }), all.slice(10, 21));
  assert.deepEqual(await db.history("n", "k", { from, before: to }), all.slice(11, 21));
  await refused("KEY_NOT_FOUND", db.history("n", "other"));
});

test("keys and namespaces are listed in order, all of them, as of any time", async (test) => {
  const db = await opened(test);
  const names = Array.from({ length: 2500 }, (_, at) => `key ${String(at).padStart(5, "0")}`);
  for (let at = 0; at < names.length; at += 500) {
    await db.writeBatch(names.slice(at, at + 500).map((key) => ({ namespace: "many", key, value: 0 })));
  }
  const { timestamp } = await db.put("one", "k", 1);
  await db.put("two", "k", 1);
  assert.deepEqual(await db.listKeys("many"), names);
  assert.deepEqual(await db.listKeys("many", { limit: 1500 }), names.slice(0, 1500));
  assert.deepEqual(await db.listKeys("many", { prefix: "key 001", limit: 3 }), names.slice(100, 103));
  assert.deepEqual(await db.listKeys("many", { after: names[2497] }), names.slice(2498));
  assert.deepEqual(await db.listKeys("nothing"), []);
  assert.deepEqual(await db.listNamespaces(), ["many", "one", "two"]);
  assert.deepEqual(await db.listNamespaces({ at: timestamp }), ["many", "one"]);
  assert.deepEqual(await db.listNamespaces({ limit: 1 }), ["many"]);
});

test("a snapshot is the whole as it was, and diff says what changed", async (test) => {
  const db = await opened(test);
  const one = await db.put("n", "a", { rooms: [{ name: "x", warm: true }], same: 1 });
  const b = await db.put("m", "b", 1);
  const two = await db.put("n", "a", { rooms: [{ name: "y" }], same: 1, new: null });
  assert.deepEqual(await db.snapshotAt(b.timestamp), [{ namespace: "m", key: "b", ...b }, { namespace: "n", key: "a", ...one }]);
  assert.deepEqual(await db.snapshotAt(new Date(0)), []);
  const diff = await db.diff("n", "a", one.versionId, two.timestamp);
  assert.deepEqual(diff.before, one);
  assert.deepEqual(diff.after, two);
  assert.deepEqual([...diff.changes].sort((a, b) => (a.path < b.path ? -1 : 1)), [
    { path: "new", after: null },
    { path: "rooms[0].name", before: "x", after: "y" },
    { path: "rooms[0].warm", before: true },
  ]);
  assert.deepEqual((await db.diff("n", "a", one.versionId, one.versionId)).changes, []);
});

test("why and effects walk along causes", async (test) => {
  const db = await opened(test);
  const a = await db.put("n", "a", 1);
  const b = await db.put("n", "b", 2, { because: [a.versionId] });
  const c = await db.put("n", "c", 3, { because: [b.versionId] });
  const why = await db.why(c.versionId);
  assert.equal(why.isWhole, true);
  assert.deepEqual(why.steps.map(({ depth, versionId, version }) => [depth, versionId, version.key]), [[0, c.versionId, "c"], [1, b.versionId, "b"], [2, a.versionId, "a"]]);
  assert.equal(why.steps[1].via, c.versionId);
  const effects = await db.effects(a.versionId);
  assert.deepEqual(effects.steps.map(({ versionId }) => versionId), [a.versionId, b.versionId, c.versionId]);
  const short = await db.why(c.versionId, { limit: 2 });
  assert.equal(short.isWhole, false);
  assert.equal(short.steps.length, 2);
});

test("stats count, and verify proves", async (test) => {
  const db = await opened(test);
  await db.put("n", "a", 1);
  await db.put("n", "a", 2);
  const last = await db.put("m", "b", 3);
  const stats = await db.stats();
  assert.deepEqual([stats.keyCount, stats.totalVersions, stats.namespaceCount, stats.diskBytes], [2, 3, 2, 0]);
  assert.ok(stats.memoryBytes > 0);
  assert.equal(stats.newest, last.timestamp);
  assert.deepEqual(await db.verify(), { keys: 2, versions: 3, damages: [] });
});

test("what is exported can be imported: as bytes, a Blob, a stream, and in parts; twice changes nothing", async (test) => {
  const db = await opened(test);
  for (let value = 0; value < 300; value++) await db.put("n", `k${value % 7}`, { value });
  await db.delete("n", "k3");
  const file = await db.export();
  assert.ok(file instanceof Uint8Array);
  const parts = [file.slice(0, 10), file.slice(10, 1000), file.slice(1000)];
  const ways = {
    "a Uint8Array": file,
    "an ArrayBuffer": file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength),
    "a Blob": new Blob([file]),
    "a stream": new Blob([file]).stream(),
    "a stream that cannot be iterated": { getReader: () => new Blob([file]).stream().getReader() },
    "an async generator": (async function* () { yield* parts; })(),
  };
  for (const [name, source] of Object.entries(ways)) {
    const other = await opened(test);
    assert.deepEqual(await other.import(source), { new: 301, known: 0 }, name);
    assert.deepEqual(await other.import(file), { new: 0, known: 301 }, name);
    assert.deepEqual(await other.export(), file, name);
    assert.deepEqual(await other.history("n", "k3"), await db.history("n", "k3"), name);
  }
});

test("an export that was altered or cut is refused, and what is there stays", async (test) => {
  const [db, other] = [await opened(test), await opened(test)];
  await other.put("mine", "k", 1);
  await nextMillisecond();
  for (let value = 0; value < 50; value++) await db.put("n", `k${value}`, { value });
  const file = await db.export();
  for (let at = 0; at < file.length; at += 37) {
    const altered = file.slice();
    altered[at] ^= 0x41;
    await refused("INVALID_IMPORT", other.import(altered));
  }
  for (const length of [0, 1, 10, file.length >> 1, file.length - 1]) {
    await refused("INVALID_IMPORT", other.import(file.slice(0, length)));
  }
  await refused("INVALID_IMPORT", other.import(new Blob([file, "more"])));
  await refused("INVALID_ARGUMENT", other.import((async function* () { yield "text"; })()));
  assert.equal((await other.get("mine", "k")).value, 1);
  assert.deepEqual((await other.verify()).damages, []);
  await other.import(file);
  assert.equal((await other.get("n", "k49")).value.value, 49);
});

async function nextMillisecond() {
  for (const now = Date.now(); Date.now() === now; ) await new Promise(setImmediate);
}

/** Does something while the clock stands still, at a time of its own. */
async function atOnce(millisecond, work) {
  const { now } = Date;
  Date.now = () => 1_800_000_000_000 + millisecond;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}

test("databases of one program that wrote in the same millisecond can be brought together", async (test) => {
  const [one, other] = [await opened(test), await opened(test)];
  await atOnce(1, async () => {
    for (let value = 0; value < 100; value++) {
      await one.put("one", "k", value);
      await other.writeBatch([{ namespace: "other", key: "k", value }, { namespace: "other", key: "l", value }]);
    }
    // Nobody's clock runs ahead.
    for (const db of [one, other]) assert.match((await db.stats()).newest, /\.001\d{6}Z$/);
  });
  assert.deepEqual(await one.import(await other.export()), { new: 200, known: 0 });
  assert.deepEqual(await one.history("other", "k", { limit: 1000 }), await other.history("other", "k", { limit: 1000 }));
  assert.deepEqual((await one.verify()).damages, []);
});

test("a file with another history of a key, or with a version at the very time of another key's, is refused and changes nothing", async (test) => {
  const [one, other, third, busy] = [await opened(test), await opened(test), await opened(test), await opened(test)];
  await atOnce(2, async () => {
    await one.put("n", "k", 1);
    // Until the time below the millisecond is used up, and begins anew.
    for (let value = 0; value < 999; value++) await busy.put("n", "k", value);
    await other.put("n", "other", 2);
    await third.put("n", "k", 2);
  });
  const before = await one.export();
  assert.equal((await one.get("n", "k")).timestamp, (await other.get("n", "other")).timestamp);
  const taken = await refused("INVALID_IMPORT", one.import(await other.export()));
  assert.match(taken.message, /"other" of "n" was written at 2027-01-15T08:00:00\.002\d{6}Z, at which another key was written here/);
  const diverged = await refused("INVALID_IMPORT", one.import(await third.export()));
  assert.match(diverged.message, /"k" of "n" has another history here/);
  assert.deepEqual(await one.export(), before);
});

/** A database whose file has several pieces. */
async function filled(test) {
  const db = await opened(test);
  for (let value = 0; value < 3000; value++) await db.put("n", `k${value % 3}`, { value, text: "x".repeat(300) });
  return db;
}

test("an export as a stream has pieces of bounded size, made as they are taken, of what was written before", async (test) => {
  const db = await filled(test);
  const file = await db.export();
  const stream = await db.export({ stream: true });
  assert.ok(stream instanceof ReadableStream);
  await db.put("n", "later", 1);
  const parts = [];
  for await (const part of stream) parts.push(part);
  assert.ok(parts.length > 3 && parts.every((part) => part instanceof Uint8Array && part.length <= 256 << 10));
  assert.deepEqual(new Uint8Array(await new Blob(parts).arrayBuffer()), file);
  const other = await opened(test);
  assert.deepEqual(await other.import(await db.export({ stream: true })), { new: 3001, known: 0 });
  assert.deepEqual(await other.export(), await db.export());
  await refused("INVALID_ARGUMENT", db.export({ stream: "yes" }));
  await refused("INVALID_ARGUMENT", db.export(true));
});

test("an export that nobody reads to its end can be cancelled, and ends with its database", async (test) => {
  const db = await filled(test);
  const [left, open] = [(await db.export({ stream: true })).getReader(), (await db.export({ stream: true })).getReader()];
  await left.read();
  await left.cancel();
  assert.equal((await open.read()).done, false);
  await db.close();
  // What was made before may still come.
  await refused("CLOSED", async () => {
    while (!(await open.read()).done);
  });
});

test("an import takes a stream piece by piece, and does not wait for its end", async (test) => {
  const [db, other] = [await filled(test), await opened(test)];
  const file = await db.export();
  let cancelled = null;
  let at = 0;
  const stream = new ReadableStream({
    async pull(to) {
      // What has come is there before the rest is asked for.
      if (at > file.length / 2) assert.ok((await other.stats()).totalVersions >= 1000);
      if (at === file.length) return to.close();
      to.enqueue(file.slice(at, (at = Math.min(at + 100_000, file.length))));
    },
    cancel: (reason) => (cancelled = { reason }),
  }, { highWaterMark: 0 });
  assert.deepEqual(await other.import(stream), { new: 3000, known: 0 });
  assert.equal(cancelled, null);
  assert.deepEqual(await other.export(), file);
  // Whoever writes what cannot be read is told.
  await refused("INVALID_IMPORT", other.import(new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(100)), cancel: () => (cancelled = {}) })));
  assert.notEqual(cancelled, null);
});

test("a stream that fails fails the import with its own error", async (test) => {
  const db = await opened(test);
  const own = new Error("the network is gone");
  await assert.rejects(db.import((async function* () { throw own; })()), own);
  await db.put("n", "k", 1);
});

test("a closed database says so, whatever is asked; closing it twice is no error", async (test) => {
  const db = await Anabranch.open();
  await db.put("n", "k", 1);
  const [first] = [db.close(), db.close()];
  await first;
  await db.close();
  const calls = {
    put: ["n", "k", 1], putIf: ["n", "k", 1, null], delete: ["n", "k"], writeBatch: [[]], get: ["n", "k"], getAt: ["n", "k", new Date()],
    getVersionAt: ["n", "k", new Date()], getVersion: ["n", "k", "x"], findVersion: ["x"], history: ["n", "k"], listNamespaces: [], listKeys: ["n"],
    snapshotAt: [new Date()], diff: ["n", "k", "a", "b"], why: ["x"], effects: ["x"], stats: [], verify: [], export: [], import: [new Uint8Array(1)], subscribe: ["n"],
    records: [], persist: [], record: ["r"], service: ["s", async () => {}],
  };
  for (const [name, given] of Object.entries(calls)) await refused("CLOSED", () => db[name](...given));
  const methods = Object.getOwnPropertyNames(Anabranch.prototype).filter((name) => !["constructor", "close", "storage", "name"].includes(name));
  assert.deepEqual(methods.filter((name) => !(name in calls)), [], "each method is tried");
});

test("a database is disposed of at the end of its block", async () => {
  const db = await Anabranch.open();
  await db[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
  await refused("CLOSED", db.stats());
});

test("an error of the package is an Error with a name, a code and a stack", async () => {
  const error = new AnabranchError("KEY_NOT_FOUND", "there is no such key");
  assert.ok(error instanceof Error);
  assert.equal(error.name, "AnabranchError");
  assert.match(error.stack, /calls\.test\.mjs/);
});
