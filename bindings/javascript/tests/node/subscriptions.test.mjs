// Those who follow: each version once, in order, none left out.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import test from "node:test";
import { PACKAGE, first, folder, opened, refused } from "./rig.mjs";

test("it starts now unless told", async (test) => {
  const db = await opened(test);
  await db.put("n", "before", 0);
  const following = db.subscribe("n");
  await following.ready;
  await db.put("n", "a", 1);
  await db.put("other", "x", 1);
  const gone = await db.delete("n", "a");
  assert.deepEqual(await first(2, following), [
    { namespace: "n", key: "a", ...(await db.history("n", "a"))[1] },
    { namespace: "n", key: "a", ...gone },
  ]);
});

test("from the beginning it replays and goes on, with no gap and nothing twice", async (test) => {
  const db = await opened(test);
  const put = (value) => db.put("n", `k${value % 5}`, value);
  for (let value = 0; value < 2000; value++) await put(value);
  const following = db.subscribe("n", { from: "beginning" });
  const seen = [];
  for await (const { value } of following) {
    seen.push(value);
    // Written while it replays, and after it.
    if (value < 1000) await put(2000 + value);
    if (seen.length === 3000) break;
  }
  assert.deepEqual(seen, Array.from({ length: 3000 }, (_, at) => at));
});

test("it can begin at a time, and after a version", async (test) => {
  const db = await opened(test);
  const all = [];
  for (let value = 0; value < 10; value++) all.push(await db.put("n", "k", value));
  const values = async (from) => (await first(3, db.subscribe("n", { from }))).map(({ value }) => value);
  assert.deepEqual(await values(all[4].timestamp), [4, 5, 6]);
  assert.deepEqual(await values(all[4].versionId), [5, 6, 7]);
  assert.deepEqual(await values(new Date(0)), [0, 1, 2]);
  await refused("INVALID_TIMESTAMP", first(1, db.subscribe("n", { from: "yesterday" })));
});

test("only keys that begin with a prefix", async (test) => {
  const db = await opened(test);
  const following = db.subscribe("n", { prefix: "room/1" });
  await following.ready;
  for (const key of ["room/1", "room/2", "room/10", "room", "room/1/a"]) await db.put("n", key, key);
  assert.deepEqual((await first(3, following)).map(({ key }) => key), ["room/1", "room/10", "room/1/a"]);
});

test("who reads slowly misses nothing, however many wait", async (test) => {
  const db = await opened(test);
  const following = db.subscribe("n");
  const other = db.subscribe("n");
  await Promise.all([following.ready, other.ready]);
  const count = 5000;
  for (let value = 0; value < count; value++) await db.put("n", "k", value);
  for (const subscription of [following, other]) {
    const seen = (await first(count, subscription)).map(({ value }) => value);
    assert.deepEqual(seen, Array.from({ length: count }, (_, at) => at));
  }
});

test("what waits for who reads slowly is held by the store, and not twice", async (test) => {
  const db = await opened(test);
  const following = db.subscribe("n");
  await following.ready;
  for (let value = 0; value < 3000; value++) await db.put("n", "k", value);
  // The first 1024 are here, and no more are sent before half of them is taken.
  let taken = 0;
  for (; taken < 511; taken++) await following.next();
  following.close();
  assert.deepEqual(await following.next(), { done: true, value: undefined });
});

test("breaking out of for await closes it, and so does return, dispose and close", async (test) => {
  const db = await opened(test);
  await db.put("n", "k", 1);
  for (const end of [(s) => first(1, s), (s) => s.return(), (s) => s.close(), (s) => s[Symbol.dispose ?? Symbol.for("Symbol.dispose")]()]) {
    const following = db.subscribe("n", { from: "beginning" });
    await following.ready;
    await end(following);
    await db.put("n", "k", 2);
    assert.deepEqual(await following.next(), { done: true, value: undefined });
    assert.deepEqual(await following.next(), { done: true, value: undefined });
    following.close();
  }
});

test("whoever waits is told that it is closed, and that the database is", async (test) => {
  const db = await opened(test);
  const [one, other] = [db.subscribe("n"), db.subscribe("n")];
  const waiting = [one.next(), one.next(), other.next()];
  one.close();
  await db.close();
  assert.deepEqual(await Promise.all(waiting), Array(3).fill({ done: true, value: undefined }));
});

test("several who wait are served in turn", async (test) => {
  const db = await opened(test);
  const following = db.subscribe("n");
  await following.ready;
  const waiting = [following.next(), following.next(), following.next()];
  for (const value of [1, 2, 3]) await db.put("n", "k", value);
  assert.deepEqual((await Promise.all(waiting)).map(({ value }) => value.value), [1, 2, 3]);
});

test("a callback is called with each, in order, and may write and close", async (test) => {
  const db = await opened(test);
  const seen = [];
  const done = new Promise((resolve) => {
    const following = db.subscribe("n", { from: "beginning" }, ({ key, value }) => {
      seen.push([key, value]);
      if (value < 10) void db.put("n", "k", value + 1);
      else {
        following.close();
        resolve();
      }
    });
  });
  await db.put("n", "k", 0);
  await done;
  await db.put("n", "k", 99);
  assert.deepEqual(seen, Array.from({ length: 11 }, (_, at) => ["k", at]));
});

test("a callback that throws is reported, and the next one comes", async (test) => {
  const directory = folder(test);
  const program = join(directory, "throws.mjs");
  writeFileSync(
    program,
    `import { Anabranch } from ${JSON.stringify(pathToFileURL(join(PACKAGE, "node.js")).href)};
     const reported = [];
     process.on("uncaughtException", (error) => reported.push(error.message));
     const db = await Anabranch.open();
     const done = new Promise((resolve) => {
       db.subscribe("n", ({ value }) => {
         if (value === 3) return resolve();
         if (value === 2) return Promise.reject(new Error("later"));
         throw new Error("at once");
       });
     });
     for (const value of [1, 2, 3]) await db.put("n", "k", value);
     await done;
     await new Promise(setImmediate);
     process.send(reported);`,
  );
  const started = fork(program);
  test.after(() => started.kill("SIGKILL"));
  const [reported] = await once(started, "message");
  assert.deepEqual(reported, ["at once", "later"]);
});

test("one that cannot follow says so where somebody waits", async (test) => {
  const db = await opened(test);
  const following = db.subscribe("n", { from: "nonsense" });
  await refused("INVALID_TIMESTAMP", following.ready);
  await refused("INVALID_TIMESTAMP", following.next());
  assert.deepEqual(await following.next(), { done: true, value: undefined });
  // With a callback, and nobody reports it a second time.
  await refused("INVALID_TIMESTAMP", db.subscribe("n", { from: "nonsense" }, () => {}).ready);
});

test("a batch, an import and a delete reach who follows", async (test) => {
  const [db, other] = [await opened(test), await opened(test)];
  await other.put("n", "imported", 1);
  const following = db.subscribe("n");
  await following.ready;
  await db.import(await other.export());
  await db.writeBatch([{ namespace: "n", key: "a", value: 1 }, { namespace: "n", key: "b", value: 2 }]);
  await db.delete("n", "a");
  const seen = await first(4, following);
  assert.deepEqual(seen.map(({ key, deleted }) => [key, deleted]), [["imported", undefined], ["a", undefined], ["b", undefined], ["a", true]]);
});
