// What other versioned stores do wrong in JavaScript, KoruDelta above all: each by its name, and that it is not so here.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { pathToFileURL } from "node:url";
import { Anabranch, PACKAGE, folder, opened, refused } from "./rig.mjs";

test("trap: values reach JavaScript as Map", async (test) => {
  const db = await opened(test);
  await db.put("n", "k", { a: { b: [{ c: 1 }] } });
  const { value } = await db.get("n", "k");
  assert.equal(value.a.b[0].c, 1);
  for (const object of [value, value.a, value.a.b[0]]) assert.equal(Object.getPrototypeOf(object), Object.prototype);
  assert.equal(JSON.stringify(value), '{"a":{"b":[{"c":1}]}}');
});

test("trap: integers beyond 2^53 lose digits", async (test) => {
  const db = await opened(test);
  for (const integer of [2n ** 53n + 1n, 9223372036854775807n, -9223372036854775808n, 1234567890123456789n]) {
    await db.put("n", "k", { integer });
    assert.equal((await db.get("n", "k")).value.integer, integer);
  }
});

test("trap: timers call window, so they panic in workers and Node", async (test) => {
  assert.equal(globalThis.window, undefined);
  const source = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(workerData).then(async ({ Anabranch }) => {
      const db = await Anabranch.open();
      const following = db.subscribe("n");
      await following.ready;
      await db.put("n", "k", 1);
      const { value } = await following.next();
      await db.close();
      parentPort.postMessage(value.value);
    });`;
  const worker = new Worker(source, { eval: true, workerData: pathToFileURL(join(PACKAGE, "node.js")).href });
  test.after(() => worker.terminate());
  assert.equal(await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject)), 1);
  for (const name of readdirSync(PACKAGE).filter((name) => name.endsWith(".js"))) {
    assert.doesNotMatch(readFileSync(join(PACKAGE, name), "utf8"), /\bwindow\s*[.[]/, name);
  }
});

test("trap: export and import never built", async (test) => {
  const [db, other] = [await opened(test), await opened(test)];
  await db.put("n", "k", { bytes: new Uint8Array([1, 2, 3]), at: new Date(5) });
  assert.deepEqual(await other.import(await db.export()), { new: 1, known: 0 });
  assert.deepEqual(await other.get("n", "k"), await db.get("n", "k"));
});

test("trap: previousVersion never equals any version id", async (test) => {
  const db = await opened(test);
  for (let value = 0; value < 10; value++) await db.put("n", "k", value);
  const history = await db.history("n", "k");
  for (let at = 0; at < 9; at++) assert.equal(history[at].previousVersion, history[at + 1].versionId);
  assert.equal(history[9].previousVersion, undefined);
});

test("trap: the same value twice has the same version id", async (test) => {
  const db = await opened(test);
  const ids = new Set();
  for (let round = 0; round < 100; round++) ids.add((await db.put("n", "k", "same")).versionId);
  assert.equal(ids.size, 100);
  assert.equal((await db.history("n", "k", { limit: 1000 })).length, 100);
});

test("trap: 2,000 concurrent puts on one key leave 1,141 versions", async (test) => {
  const db = await opened(test);
  await Promise.all(Array.from({ length: 2000 }, (_, value) => db.put("n", "k", value)));
  const history = await db.history("n", "k", { limit: 5000 });
  assert.deepEqual(history.map(({ value }) => value).reverse(), Array.from({ length: 2000 }, (_, at) => at));
});

test("trap: 800 acknowledged concurrent puts, 473 after reopening", async (test) => {
  const name = folder(test);
  const db = await Anabranch.open({ storage: "file", name });
  const acknowledged = await Promise.all(Array.from({ length: 800 }, (_, value) => db.put("n", `k${value}`, value)));
  await db.close();
  const again = await opened(test, { storage: "file", name });
  assert.equal((await again.listKeys("n")).length, 800);
  for (const { versionId, value } of acknowledged) assert.equal((await again.findVersion(versionId)).value, value);
});

test("trap: on a millisecond clock versions vanish or come out of order; and a clock that is set back", async (test) => {
  const db = await opened(test);
  const { now } = Date;
  test.after(() => (Date.now = now));
  const times = [];
  let moment = 1_900_000_000_000;
  Date.now = () => moment;
  for (let value = 0; value < 300; value++) {
    if (value === 100) moment -= 3_600_000;
    if (value === 200) moment += 7_200_000;
    times.push((await db.put("n", "k", value)).timestamp);
  }
  Date.now = now;
  assert.deepEqual([...times].sort(), times);
  assert.equal(new Set(times).size, 300);
  for (let value = 0; value < 300; value++) assert.equal(await db.getAt("n", "k", times[value]), value);
});

test("trap: delete still listed and counted", async (test) => {
  const db = await opened(test);
  await db.put("n", "k", 1);
  await db.delete("n", "k");
  assert.deepEqual(await db.listKeys("n"), []);
  assert.equal((await db.stats()).keyCount, 0);
  await refused("KEY_NOT_FOUND", db.get("n", "k"));
});

test("trap: a crash leaves a lock that bricks the database", async (test) => {
  const { child } = await import("./rig.mjs");
  const name = folder(test);
  for (let round = 0; round < 3; round++) {
    const holder = child(test, "hold", name);
    await holder.next();
    await holder.kill();
  }
  const db = await opened(test, { storage: "file", name });
  await db.put("n", "k", 1);
});

test("trap: log errors swallowed, put says Ok", async (test) => {
  const { createRequire, syncBuiltinESMExports } = await import("node:module");
  const fs = createRequire(import.meta.url)("node:fs");
  const name = folder(test);
  const db = await opened(test, { storage: "file", name });
  await db.put("n", "k", 1);
  for (const [operation, code, expected] of [["writeSync", "ENOSPC", ["STORAGE_FULL", "REOPEN_NEEDED"]], ["fdatasyncSync", "EIO", ["STORAGE_FAILED", "REOPEN_NEEDED"]]]) {
    const real = fs[operation];
    fs[operation] = () => {
      throw Object.assign(new Error(`${code}: on purpose`), { code });
    };
    syncBuiltinESMExports();
    try {
      await db.put("n", "k", 2).then(() => assert.fail("it says that it is kept"), (error) => assert.ok(expected.includes(error.code), `${error.code} ${error.message}`));
    } finally {
      fs[operation] = real;
      syncBuiltinESMExports();
    }
    assert.equal((await db.get("n", "k")).value, 1, "reads go on");
  }
  await db.close();
  const again = await opened(test, { storage: "file", name });
  assert.equal((await again.get("n", "k")).value, 1);
  await again.put("n", "k", 3);
});
