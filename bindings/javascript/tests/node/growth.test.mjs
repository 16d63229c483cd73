// Memory does not grow with what was done, only with what is kept: counted in the engine's pages, not in time.
import assert from "node:assert/strict";
import test from "node:test";
import { opened, part, refused } from "./rig.mjs";

const { Anabranch } = await part("node.js");

test("reads, subscriptions opened and closed, refused calls and closed databases leave nothing behind", async (test) => {
  const { initSync } = await part("engine-store.js");
  const db = await opened(test, {}, Anabranch);
  for (let key = 0; key < 50; key++) await db.put("n", `k${key}`, { key, text: "x".repeat(100) });
  // The module is loaded already: this gives what it exports.
  const { memory } = initSync();
  const round = async () => {
    for (let times = 0; times < 20; times++) {
      await db.get("n", `k${times}`);
      await db.history("n", "k1");
      await db.snapshotAt(new Date(Date.now() + 60_000));
      await db.export();
      await db.verify();
      const open = Array.from({ length: 10 }, () => db.subscribe("n", { from: "beginning" }));
      await Promise.all(open.map(({ ready }) => ready));
      for (const following of open) {
        await following.next();
        following.close();
      }
      await refused("INVALID_VALUE", db.put("n", "k", undefined));
      await refused("KEY_NOT_FOUND", db.get("n", "nothing"));
      await refused("CONFLICT", db.putIf("n", "k1", 1, null));
      const other = await Anabranch.open();
      await other.put("n", "k", new Uint8Array(100_000));
      const left = other.subscribe("n", { from: "beginning" });
      await left.ready;
      await other.close();
    }
  };
  for (let warm = 0; warm < 3; warm++) await round();
  const before = [memory.buffer.byteLength, (await db.stats()).memoryBytes];
  for (let rounds = 0; rounds < 6; rounds++) await round();
  assert.deepEqual([memory.buffer.byteLength, (await db.stats()).memoryBytes], before);
});

test("puts take what their versions take: twice as many, twice as much", async (test) => {
  const db = await opened(test, { hotBytes: 0 }, Anabranch);
  const grown = async () => {
    const { memoryBytes } = await db.stats();
    for (let value = 0; value < 2000; value++) await db.put("n", `k${value % 10}`, { value: value % 100 });
    return (await db.stats()).memoryBytes - memoryBytes;
  };
  await grown();
  const [one, two] = [await grown(), await grown()];
  assert.ok(Math.abs(one - two) < one / 20, `${one}, then ${two}`);
});

test("an export as a stream, and an import from one, hold a few pieces in memory", async (test) => {
  const { initSync } = await part("engine-store.js");
  const [db, other] = [await opened(test, { hotBytes: 0 }, Anabranch), await opened(test, { hotBytes: 0 }, Anabranch)];
  const { memory } = initSync();
  const size = 64 << 20;
  for (let at = 0; at < 64; at++) await db.put("n", `k${at}`, new Uint8Array(1 << 20).fill(at));
  let before = memory.buffer.byteLength;
  let length = 0;
  for await (const piece of await db.export({ stream: true })) length += piece.length;
  assert.ok(length > size);
  assert.ok(memory.buffer.byteLength - before < size / 4, `it took ${memory.buffer.byteLength - before} to export`);
  before = memory.buffer.byteLength;
  await other.import(await db.export({ stream: true }));
  const kept = (await other.stats()).memoryBytes;
  assert.ok(memory.buffer.byteLength - before < kept + size / 4, `it took ${memory.buffer.byteLength - before} to import ${kept}`);
});
