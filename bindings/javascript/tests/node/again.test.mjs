// Writes that are asked for again, of an engine that has taken over: each is made once. What a tab does by itself, asked by hand.
import assert from "node:assert/strict";
import test from "node:test";
import { folder, part } from "./rig.mjs";

const { Anabranch } = await part("node.js");
const { LocalPort, Instance } = await part("local.js");
const { Writer } = await part("values.js");
const { read } = await part("database.js");
const { Files } = await part("files.js");

/** A database in a file that was written and closed, and the port of an engine that goes on with it. */
async function takenOver(test, write) {
  const name = folder(test);
  const db = await Anabranch.open({ storage: "file", name });
  const written = await write(db);
  await db.close();
  const exports = await part("engine-node.js");
  const files = new Files(name);
  const open = (emit) => exports.Engine.file(files, 1 << 20, emit);
  const port = await LocalPort.open(new Instance(exports), "file", name, null, open, () => files.abandon());
  test.after(() => port.close());
  return { port, written, history: (key) => port.call(asked("history", (call) => call.text("n").text(key).null().null().null().count(1000)), read).items.reverse() };
}

function asked(name, write) {
  const call = new Writer();
  write(call.text(name));
  return call.take();
}

const putCall = (key, value) => asked("put", (call) => call.text("n").text(key).null().null().value(value));
const again = (call, since) => asked("again", (again) => again.text(since.toISOString()).bytes(call));
const told = (versions) => asked("told", (call) => versions.reduce((call, { versionId }) => call.text(versionId), call.list(versions.length)));

test("of five calls to write the same, of which two were made, three are made now", async (test) => {
  const since = new Date();
  const { port, written, history } = await takenOver(test, async (db) => [await db.put("n", "k", "same"), await db.put("n", "k", "same")]);
  const answers = Array.from({ length: 5 }, () => port.call(again(putCall("k", "same"), since), read));
  assert.deepEqual(answers.slice(0, 2), written, "the oldest first");
  assert.deepEqual(history("k").map(({ versionId }) => versionId), answers.map(({ versionId }) => versionId));
  // Nor is what this engine has made taken for what is asked for again.
  assert.notEqual(port.call(again(putCall("k", "same"), since), read).versionId, answers[4].versionId);
  assert.equal(history("k").length, 6);
});

test("writes of one key that were made are found, whichever came last; those of before are not", async (test) => {
  const { port, written, history } = await takenOver(test, async (db) => {
    await db.put("n", "k", 0);
    for (const now = Date.now(); Date.now() === now; ) await new Promise(setImmediate);
    const since = new Date();
    const versions = [];
    // More than are looked at at once.
    for (let value = 1; value <= 600; value++) versions.push(await db.put("n", "k", value));
    return { since, versions };
  });
  const found = written.versions.map(({ value }) => port.call(again(putCall("k", value), written.since), read));
  assert.deepEqual(found, written.versions);
  port.call(again(putCall("k", 0), written.since), read);
  assert.deepEqual(history("k").map(({ value }) => value), [...Array.from({ length: 601 }, (_, value) => value), 0]);
});

test("a version that somebody was told of is not taken for another call's", async (test) => {
  const since = new Date();
  const { port, written, history } = await takenOver(test, async (db) => [await db.put("n", "k", "same")]);
  assert.equal(port.call(told(written), read), null);
  const made = port.call(again(putCall("k", "same"), since), read);
  assert.equal(made.previousVersion, written[0].versionId);
  assert.equal(history("k").length, 2);
});

test("a batch is found as a whole, and made as a whole where it was not", async (test) => {
  const since = new Date();
  const batch = asked("writeBatch", (call) => {
    call.list(2);
    for (const key of ["a", "b"]) call.text("n").text(key).null().null().bytes(new Writer().value(1).take());
  });
  const { port, written, history } = await takenOver(test, (db) => db.writeBatch([{ namespace: "n", key: "a", value: 1 }, { namespace: "n", key: "b", value: 1 }]));
  assert.deepEqual(port.call(again(batch, since), read), written);
  const made = port.call(again(batch, since), read);
  assert.deepEqual(made.map(({ previousVersion }) => previousVersion), written.map(({ versionId }) => versionId));
  for (const key of ["a", "b"]) assert.equal(history(key).length, 2);
});
