// A database in a directory: opened again, shared with nobody, left behind by the dead, damaged, of another format; and the command
// line's, which is the same.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import test from "node:test";
import { Anabranch, child, first, folder, opened, refused } from "./rig.mjs";

const file = (name) => ({ storage: "file", name });

test("what was written is there when it is opened again, all of its history", async (test) => {
  const directory = join(folder(test), "made", "as needed");
  const db = await Anabranch.open(file(directory));
  const written = [];
  for (let value = 0; value < 50; value++) written.unshift(await db.put("n", "k", { value }));
  await db.delete("n", "k");
  const exported = await db.export();
  await db.close();
  assert.deepEqual(readdirSync(directory).filter((name) => name.startsWith("LEASE")), [], "no lease is left behind");
  const again = await opened(test, file(directory));
  assert.deepEqual((await again.history("n", "k")).slice(1), written);
  assert.deepEqual(await again.export(), exported);
  assert.deepEqual((await again.verify()).damages, []);
  assert.ok((await again.stats()).diskBytes > 0);
  assert.deepEqual((await first(51, again.subscribe("n", { from: "beginning" }))).length, 51);
});

test("a directory that is open is in use, here and for another process", async (test) => {
  const directory = folder(test);
  const holder = child(test, "hold", directory);
  assert.equal(await holder.next(), "open");
  await refused("IN_USE", Anabranch.open(file(directory)));
  holder.send(1);
  assert.ok((await holder.next()).versionId);
  await holder.kill();
  const db = await opened(test, file(directory));
  await refused("IN_USE", Anabranch.open(file(directory)));
  await refused("IN_USE", Anabranch.open(file(join(directory, "..", directory.split("/").at(-1)))));
  assert.equal((await db.get("held", "key")).value, 1);
});

test("a lease that a killed process has left holds up nobody", async (test) => {
  const directory = folder(test);
  const holder = child(test, "hold", directory);
  await holder.next();
  await holder.kill();
  assert.ok(existsSync(join(directory, "LEASE")));
  const db = await Anabranch.open(file(directory));
  await db.put("n", "k", 1);
  await db.close();
});

test("a process that ends with its database open leaves no lease", async (test) => {
  const directory = folder(test);
  const leaving = child(test, "leave", directory);
  const ended = leaving.ended();
  assert.equal(await leaving.next(), "written");
  await ended;
  assert.ok(!existsSync(join(directory, "LEASE")));
  const db = await opened(test, file(directory));
  assert.equal((await db.get("left", "key")).value, 1);
});

test("a lease of a living process elsewhere holds for ten seconds, one of the future for no longer", async (test) => {
  const directory = folder(test);
  const lease = join(directory, "LEASE");
  for (const owner of ["node some.other.host 1 x\n", `node ${os.hostname()} ${process.ppid} x\n`, "native 1\n", ""]) {
    writeFileSync(lease, owner);
    await refused("IN_USE", Anabranch.open(file(directory)));
    for (const age of [11, -3600]) {
      writeFileSync(lease, owner);
      const touched = Date.now() / 1000 - age;
      utimesSync(lease, touched, touched);
      await (await Anabranch.open(file(directory))).close();
    }
  }
});

test("who was asleep for ten seconds and lost its directory writes no more, and keeps nobody's lease alive", async (test) => {
  const directory = folder(test);
  const lease = join(directory, "LEASE");
  const sleeper = child(test, "hold", directory);
  await sleeper.next();
  sleeper.send("before");
  assert.ok((await sleeper.next()).versionId);
  const long = Date.now() / 1000 - 11;
  utimesSync(lease, long, long);
  const db = await opened(test, file(directory));
  const mine = await db.put("n", "k", "mine");
  const token = readFileSync(lease, "utf8");
  // Its clock goes on as if it had slept.
  sleeper.send({ pass: 11_000 });
  sleeper.send("theirs");
  const { code } = await sleeper.next();
  assert.ok(["STORAGE_FAILED", "REOPEN_NEEDED"].includes(code), code);
  assert.equal(readFileSync(lease, "utf8"), token);
  assert.ok(statSync(lease).mtimeMs < Date.now() + 5_000, "its clock is not on another's lease");
  assert.deepEqual(await db.get("n", "k"), mine);
  assert.equal((await db.get("held", "key")).value, "before");
});

test("a lease that is gone, with its directory, ends no process", async (test) => {
  const directory = folder(test);
  const db = await Anabranch.open(file(directory));
  await db.put("n", "k", 1);
  writeFileSync(join(directory, "LEASE"), "somebody else\n");
  await db.close();
  assert.equal(readFileSync(join(directory, "LEASE"), "utf8"), "somebody else\n", "another's lease stays");
});

test("twenty databases at once make no noise", async (test) => {
  const warnings = [];
  const warned = (warning) => warnings.push(warning.message);
  process.on("warning", warned);
  test.after(() => process.removeListener("warning", warned));
  for (let at = 0; at < 20; at++) await opened(test, file(folder(test)));
  await new Promise(setImmediate);
  assert.deepEqual(warnings, []);
});

test("what was acknowledged is there after a process is killed in the midst of writing, ten times over", async (test) => {
  const directory = folder(test);
  let acknowledged = 0;
  for (let round = 0; round < 10; round++) {
    const writer = child(test, "write", directory);
    const written = [];
    const enough = new Promise((resolve) => {
      writer.listen((message) => {
        if (message === "open") return;
        written.push(message);
        if (written.length === 20 + 7 * round) resolve();
      });
    });
    await enough;
    await writer.kill();
    // Opened at once: the process of its lease is gone.
    const db = await Anabranch.open(file(directory));
    for (const { versionId, value } of written) assert.deepEqual((await db.findVersion(versionId)).value, value);
    assert.deepEqual((await db.verify()).damages, []);
    await db.put("after", "k", round);
    await db.close();
    acknowledged += written.length;
  }
  assert.ok(acknowledged >= 500);
});

test("a file that is no database is refused, and stays as it is", async (test) => {
  for (const content of ["nothing of ours", "x".repeat(100_000), "\0".repeat(8192)]) {
    const directory = folder(test);
    writeFileSync(join(directory, "store.redb"), content);
    await refused("NOT_A_DATABASE", Anabranch.open(file(directory)));
    assert.equal(readFileSync(join(directory, "store.redb"), "utf8"), content);
    assert.ok(!existsSync(join(directory, "LEASE")));
  }
});

test("a database of a newer format is refused as such, and stays as it is", async (test) => {
  const directory = folder(test);
  const db = await Anabranch.open(file(directory));
  await db.put("n", "k", 1);
  await db.close();
  const path = join(directory, "store.redb");
  const bytes = readFileSync(path);
  assert.equal(bytes.toString("latin1", 0, 16), "anabranch store\n");
  // The format, the block's size that stays, and the XXH3 of all that, for format 99.
  bytes.writeUInt32LE(99, 16);
  bytes.set(Buffer.from("5f1ef9e04e98dd7c", "hex"), 24);
  writeFileSync(path, bytes);
  const error = await refused("NEWER_FORMAT", Anabranch.open(file(directory)));
  assert.match(error.message, /99/);
  assert.deepEqual(readFileSync(path), bytes);
  assert.ok(!existsSync(join(directory, "LEASE")));
});

test("a database that was cut or altered is refused, or says what is damaged: never a trap, never another value", async (test) => {
  const directory = folder(test);
  const db = await Anabranch.open(file(directory));
  for (let value = 0; value < 200; value++) await db.put("n", `k${value}`, { value, text: "x".repeat(200) });
  await db.close();
  const whole = readFileSync(join(directory, "store.redb"));
  const codes = new Set();
  const tried = async (bytes) => {
    const copy = folder(test);
    writeFileSync(join(copy, "store.redb"), bytes);
    try {
      const damaged = await Anabranch.open(file(copy));
      try {
        for (let value = 0; value < 200; value++) {
          const got = await damaged.get("n", `k${value}`).catch((error) => {
            codes.add(error.code);
          });
          if (got !== undefined) assert.deepEqual(got.value, { value, text: "x".repeat(200) });
        }
        await damaged.verify().catch((error) => codes.add(error.code));
      } finally {
        await damaged.close();
      }
    } catch (error) {
      if (error.code === undefined) throw error;
      codes.add(error.code);
    }
    assert.ok(!existsSync(join(copy, "LEASE")));
  };
  for (let part = 1; part < 8; part++) await tried(whole.subarray(0, Math.floor((whole.length * part) / 8)));
  for (let at = 1; at < 40; at++) {
    const altered = Buffer.from(whole);
    altered.fill(0x5a, Math.floor((whole.length * at) / 40), Math.floor((whole.length * at) / 40) + 64);
    await tried(altered);
  }
  assert.deepEqual([...codes].filter((code) => !["DAMAGED", "NOT_A_DATABASE", "KEY_NOT_FOUND", "NEWER_FORMAT", "STORAGE_FAILED"].includes(code)), []);
  assert.ok(codes.has("DAMAGED"), [...codes].join());
});

test("the command line opens what Node wrote, and the other way round", async (test) => {
  const cli = process.env.ANABRANCH_CLI;
  if (cli === undefined) {
    assert.ok(process.env.CI !== "true", "ANABRANCH_CLI has to name the command line's program");
    test.skip("ANABRANCH_CLI names no program");
    return;
  }
  const directory = folder(test);
  const typed = (...words) => JSON.parse(execFileSync(cli, [...words, "--data", directory, "--json"], { encoding: "utf8" }).split("\n")[0]);
  const db = await Anabranch.open(file(directory));
  const value = { celsius: 21.5, name: "Kessel ß", list: [1, null, true] };
  const [one, two] = [await db.put("plant", "boiler", value), await db.put("plant", "boiler", { celsius: 22 })];
  assert.throws(() => execFileSync(cli, ["get", "plant", "boiler", "--data", directory], { stdio: "pipe" }), "it is in use");
  await db.close();
  assert.deepEqual(typed("get", "plant", "boiler", "--version", one.versionId).value, value);
  assert.equal(typed("get", "plant", "boiler").versionId, two.versionId);
  const three = typed("put", "plant", "boiler", '{"celsius": 23}');
  assert.equal(three.previousVersion, two.versionId);
  const again = await opened(test, file(directory));
  assert.deepEqual((await again.history("plant", "boiler")).map(({ versionId }) => versionId), [three.versionId, two.versionId, one.versionId]);
  assert.deepEqual((await again.verify()).damages, []);
});
