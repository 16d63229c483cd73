// A database in Chromium: in a window and in workers, in private files that survive, that fill up, that are damaged, that are not there.
import assert from "node:assert/strict";
import { startMosquitto } from "../../../../tests/browser/mosquitto.mjs";
import { Tally } from "../../../../tests/browser/tally.mjs";
import { OPFS, code, count, follow, open, opened, put, seen, started, values } from "./pages.mjs";

const tally = new Tally();
const rig = await started();
/** Names of tests hold this, if it is given: for whoever works on one. */
const [wanted = ""] = process.argv.slice(2);

/** In a context of its own, which is closed then. */
const test = (name, body, options) =>
  name.includes(wanted) &&
  tally.test(name, async () => {
    const context = await rig.context(options);
    try {
      await body(context);
    } finally {
      await context.close();
      rig.errors.length = 0;
    }
  });

try {
  await test("in a window's memory: values, history, subscriptions, and nothing kept", async (context) => {
    const page = await rig.page(undefined, context);
    assert.equal(await open(page), "memory");
    await follow(page);
    await put(page, 0, 10);
    assert.deepEqual(await values(page), count(0, 10));
    assert.deepEqual(await seen(page, 10), count(0, 10));
    const kinds = await page.evaluate(async () => {
      const value = { big: 2n ** 60n, bytes: new Uint8Array([1, 2]), at: new Date(5), zero: -0, text: "\ufeffß", list: [[], {}] };
      await globalThis.db.put("n", "kinds", value);
      const got = (await globalThis.db.get("n", "kinds")).value;
      return [got.big === value.big, got.bytes instanceof Uint8Array, +got.at === 5, Object.is(got.zero, -0), got.text === value.text, JSON.stringify(got.list)];
    });
    assert.deepEqual(kinds, [true, true, true, true, true, "[[],{}]"]);
    await page.reload();
    await open(page);
    assert.equal(await code(page, () => globalThis.db.get("n", "k")), "KEY_NOT_FOUND");
    rig.expectNoErrors();
  });

  await test("private files survive a reload and a closed tab, with all of history", async (context) => {
    const page = await opened(rig, context);
    const written = await put(page, 0, 30);
    await page.reload();
    assert.equal(await open(page, OPFS), "opfs");
    assert.deepEqual(await page.evaluate(() => globalThis.db.history("n", "k", { limit: 100 })), written.reverse());
    await put(page, 30, 40);
    await page.close();
    const again = await opened(rig, context);
    assert.deepEqual(await values(again), count(0, 40));
    assert.deepEqual((await again.evaluate(() => globalThis.db.verify())).damages, []);
    assert.ok((await again.evaluate(() => globalThis.db.stats())).diskBytes > 0);
    rig.expectNoErrors();
  });

  await test("databases of other names, and of other contexts, are others", async (context) => {
    const page = await opened(rig, context);
    await put(page, 0, 1);
    for (const name of ["other", "a/b", "..", "ß 😀", "x".repeat(100)]) {
      await open(page, { ...OPFS, name });
      assert.equal(await code(page, () => globalThis.db.get("n", "k")), "KEY_NOT_FOUND", name);
      await put(page, 5, 6);
      await page.evaluate(() => globalThis.db.close());
    }
    const elsewhere = await rig.context();
    const stranger = await opened(rig, elsewhere);
    assert.equal(await code(stranger, () => globalThis.db.get("n", "k")), "KEY_NOT_FOUND");
    await elsewhere.close();
    await open(page, OPFS);
    assert.deepEqual(await values(page), [0]);
  });

  await test("what was acknowledged is there after the tab's process was killed in the midst of writing", async (context) => {
    const acknowledged = [];
    for (let round = 0; round < 2; round++) {
      const page = await rig.page(undefined, context);
      let enough;
      const many = new Promise((resolve) => (enough = resolve));
      let last = 0;
      await page.exposeFunction("acknowledged", (version) => {
        acknowledged.push(version);
        last += 1;
        if (last === 60) enough();
      });
      await open(page, OPFS);
      await page.evaluate((round) => {
        const write = async (writer) => {
          for (let at = 0; ; at++) {
            const { versionId, value } = await globalThis.db.put("n", `k${writer}`, { round, at, text: "x".repeat(500) });
            // Waited for, or this would be told of what was long ago: whoever kills this tab has its turn, too.
            await globalThis.acknowledged({ versionId, value });
          }
        };
        for (let writer = 0; writer < 3; writer++) void write(writer);
      }, round);
      await many;
      await rig.crash(page);
      const after = await opened(rig, context);
      const found = await after.evaluate(async (ids) => Promise.all(ids.map(async (id) => (await globalThis.db.findVersion(id)).value)), acknowledged.map(({ versionId }) => versionId));
      assert.deepEqual(found, acknowledged.map(({ value }) => value).slice(0, found.length));
      assert.deepEqual((await after.evaluate(() => globalThis.db.verify())).damages, []);
      await after.evaluate(() => globalThis.db.close());
      await after.close();
    }
    assert.ok(acknowledged.length >= 120);
  });

  await test("a full quota reaches the caller as STORAGE_FULL; reads go on, and writes do when there is room", async (context) => {
    const page = await opened(rig, context);
    await put(page, 0, 5);
    const session = await context.newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: rig.origin, quotaSize: 3_000_000 });
    const refused = await page.evaluate(async () => {
      for (let at = 0; at < 100; at++) {
        try {
          await globalThis.db.put("n", "filling", new Uint8Array(200_000).fill(at));
        } catch (error) {
          return [at, error.code, error instanceof globalThis.anabranch.AnabranchError];
        }
      }
      return [];
    });
    assert.deepEqual(refused.slice(1), ["STORAGE_FULL", true], String(refused));
    assert.deepEqual(await values(page), count(0, 5));
    const history = await page.evaluate(async () => (await globalThis.db.history("n", "filling", { limit: 1000 })).length);
    assert.equal(history, refused[0], "what was acknowledged, and no more");
    await session.send("Storage.overrideQuotaForOrigin", { origin: rig.origin });
    await put(page, 5, 8);
    assert.deepEqual(await values(page), count(0, 8));
    await page.reload();
    await open(page, OPFS);
    assert.deepEqual(await values(page), count(0, 8));
    assert.deepEqual((await page.evaluate(() => globalThis.db.verify())).damages, []);
  });

  await test("offline, an open page writes and reads on", async (context) => {
    const page = await opened(rig, context);
    await context.setOffline(true);
    await put(page, 0, 20);
    assert.deepEqual(await values(page), count(0, 20));
    await context.setOffline(false);
  });

  await test("closing while calls are on their way answers them first; then all else is CLOSED", async (context) => {
    const page = await opened(rig, context);
    const answers = await page.evaluate(async () => {
      const waiting = Array.from({ length: 50 }, (_, value) => globalThis.db.put("n", "k", value));
      const following = globalThis.db.subscribe("n");
      const next = following.next();
      await Promise.all([globalThis.db.close(), globalThis.db.close()]);
      return [(await Promise.allSettled(waiting)).filter(({ status }) => status === "fulfilled").length, await next];
    });
    assert.deepEqual(answers, [50, { done: true, value: undefined }]);
    assert.equal(await code(page, () => globalThis.db.get("n", "k")), "CLOSED");
    await open(page, OPFS);
    assert.deepEqual(await values(page), count(0, 50));
  });

  await test("in a worker of the user's own, in memory and in private files", async (context) => {
    const page = await rig.page(undefined, context);
    for (const storage of ["memory", "opfs"]) {
      const answer = await page.evaluate(async (storage) => {
        const source = `import { Anabranch } from "${location.origin}/package/index.js";
          const db = await Anabranch.open({ storage: "${storage}", name: "worker" });
          const following = db.subscribe("n");
          await following.ready;
          await db.put("n", "k", 7);
          const { value } = await following.next();
          await db.close();
          postMessage([db.storage, value.value]);`;
        const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
        return new Promise((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
        });
      }, storage);
      assert.deepEqual(answer, [storage, 7]);
    }
  });

  await test("a shared worker, which can start none, has memory and says so", async (context) => {
    const page = await rig.page(undefined, context);
    const answer = await page.evaluate(async () => {
      const source = `import { Anabranch } from "${location.origin}/package/index.js";
        onconnect = async ({ ports: [port] }) => {
          const db = await Anabranch.open({ storage: "opfs" });
          await db.put("n", "k", 7);
          port.postMessage([db.storage, (await db.get("n", "k")).value]);
        };`;
      const worker = new SharedWorker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
      return new Promise((resolve) => (worker.port.onmessage = ({ data }) => resolve(data)));
    });
    assert.ok(answer[0] === "memory" || answer[0] === "opfs", answer[0]);
    assert.equal(answer[1], 7);
  });

  for (const [missing, removed] of Object.entries({
    "private files": "delete StorageManager.prototype.getDirectory;",
    "sync access handles": "delete FileSystemFileHandle.prototype.createSyncAccessHandle;",
    "private files, as in a private window": "StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('no', 'SecurityError'));",
    "Web Locks": "Object.defineProperty(Object.getPrototypeOf(navigator), 'locks', { get: () => undefined });",
    "BroadcastChannel": "delete globalThis.BroadcastChannel;",
  })) {
    await test(`without ${missing}, a database is in what there is, and says so`, async (context) => {
      const page = await rig.page(undefined, context);
      // In the worker's own scope, before anything of it runs.
      const real = await (await fetch(`${rig.origin}/package/worker.js`)).text();
      await context.route("**/package/worker.js", (route) => route.fulfill({ contentType: "text/javascript", body: `${removed}\n${real}` }));
      // Tabs that cannot agree on one that leads have no storage in common.
      assert.equal(await open(page, OPFS), missing.startsWith("private") || missing.startsWith("sync") ? "indexeddb" : "memory");
      await follow(page);
      await put(page, 0, 3);
      assert.deepEqual(await values(page), [0, 1, 2]);
      assert.deepEqual(await seen(page, 3), [0, 1, 2]);
      await page.evaluate(() => globalThis.db.close());
    });
  }

  await test("in IndexedDB what a link brings is kept by itself, with no call after it", async (context) => {
    const broker = await startMosquitto();
    try {
      const page = await rig.page(undefined, context);
      const records = { readings: { from: "mqtt://readings", keep: "readings" } };
      await open(page, { storage: "indexeddb", name: "idle", records, connectors: [{ url: broker.url }] });
      await page.evaluate(async () => {
        const raw = await new Promise((resolve) => (indexedDB.open("anabranch/idle").onsuccess = ({ target }) => resolve(target.result)));
        globalThis.kept = () => new Promise((resolve) => (raw.transaction("rows").objectStore("rows").count().onsuccess = ({ target }) => resolve(target.result)));
      });
      const before = await page.evaluate(() => globalThis.kept());
      await broker.logs("SUBACK");
      await broker.publish("readings", "21.5", 1);
      await page.waitForFunction(async (before) => (await globalThis.kept()) > before, before, { polling: 10 });
      await page.reload();
      await open(page, { storage: "indexeddb", name: "idle" });
      assert.deepEqual(await page.evaluate(async () => (await globalThis.db.history("readings", "readings")).map(({ value }) => value)), [21.5]);
    } finally {
      await broker.end();
    }
  });

  await test("in IndexedDB what could not be kept is refused, and is not written after all", async (context) => {
    // The worker's next transaction fails once, when it is told to.
    const real = await (await fetch(`${rig.origin}/package/worker.js`)).text();
    const failing = `{
      const { put } = IDBObjectStore.prototype;
      const told = new BroadcastChannel("fail");
      let fails = false;
      told.onmessage = () => {
        fails = true;
        told.postMessage(null);
      };
      IDBObjectStore.prototype.put = function (...words) {
        if (!fails) return put.apply(this, words);
        fails = false;
        throw new DOMException("there is no room", "QuotaExceededError");
      };
    }`;
    await context.route("**/package/worker.js", (route) => route.fulfill({ contentType: "text/javascript", body: `${failing}\n${real}` }));
    const page = await rig.page(undefined, context);
    assert.equal(await open(page, { storage: "indexeddb", name: "failing" }), "indexeddb");
    await follow(page);
    await put(page, 0, 3);
    const outcome = await page.evaluate(async () => {
      const channel = new BroadcastChannel("fail");
      await new Promise((told) => {
        channel.onmessage = told;
        channel.postMessage(null);
      });
      const asked = [1, 2].map((value) => globalThis.db.put("n", "refused", value));
      return (await Promise.allSettled(asked)).map(({ status, reason }) => reason?.code ?? status);
    });
    assert.deepEqual(outcome, ["STORAGE_FULL", "STORAGE_FULL"]);
    await put(page, 3, 6);
    assert.deepEqual(await values(page), count(0, 6));
    assert.equal(await code(page, () => globalThis.db.get("n", "refused")), "KEY_NOT_FOUND");
    assert.deepEqual(await seen(page, 6), count(0, 6));
    await page.reload();
    await open(page, { storage: "indexeddb", name: "failing" });
    assert.deepEqual(await values(page), count(0, 6));
    assert.equal(await code(page, () => globalThis.db.get("n", "refused")), "KEY_NOT_FOUND");
  });

  await test("an export as a stream comes through the worker, and another database takes it", async (context) => {
    const page = await opened(rig, context);
    await put(page, 0, 50);
    const [types, imported] = await page.evaluate(async () => {
      const types = [];
      const seen = new TransformStream({ transform: (piece, to) => (types.push(piece.constructor.name), to.enqueue(piece)) });
      const other = await globalThis.anabranch.Anabranch.open({ storage: "opfs", name: "other" });
      return [types, await other.import((await globalThis.db.export({ stream: true })).pipeThrough(seen))];
    });
    assert.deepEqual([[...new Set(types)], imported], [["Uint8Array"], { new: 50, known: 0 }]);
  });

  await test("files that somebody else holds are IN_USE: nothing goes to memory unseen", async (context) => {
    const page = await rig.page(undefined, context);
    await page.evaluate(async () => {
      const source = `const root = await navigator.storage.getDirectory();
        const directory = await (await root.getDirectoryHandle("anabranch", { create: true })).getDirectoryHandle("tests", { create: true });
        globalThis.held = await (await directory.getFileHandle("log", { create: true })).createSyncAccessHandle();
        postMessage("held");`;
      globalThis.holder = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
      await new Promise((resolve) => (globalThis.holder.onmessage = resolve));
      globalThis.anabranch = await import("/package/index.js");
    });
    assert.equal(await code(page, () => globalThis.anabranch.Anabranch.open({ storage: "opfs", name: "tests" })), "IN_USE");
    await page.evaluate(() => globalThis.holder.terminate());
    assert.equal(await open(page, OPFS), "opfs");
  });

  await test("a worker or an engine that cannot be loaded is ENGINE_NOT_LOADED", async (context) => {
    for (const [path, storage] of [["**/package/worker.js", "opfs"], ["**/package/engine-store_bg.wasm", "opfs"], ["**/package/engine-store_bg.wasm", "memory"]]) {
      const page = await rig.page(undefined, context);
      await context.route(path, (route) => route.fulfill({ status: 404, body: "" }));
      await page.evaluate(async () => (globalThis.anabranch = await import("/package/index.js")));
      const asked = storage === "opfs" ? () => globalThis.anabranch.Anabranch.open({ storage: "opfs", name: "x" }) : () => globalThis.anabranch.Anabranch.open();
      assert.equal(await code(page, asked), "ENGINE_NOT_LOADED", `${path} ${storage}`);
      await context.unroute(path);
      // And again, once it can.
      assert.equal(await open(page, { storage, name: "x" }), storage);
      await page.close();
    }
  });

  const altered = (page, file, change) =>
    page.evaluate(
      async ([file, change]) => {
        const root = await navigator.storage.getDirectory();
        const directory = await (await root.getDirectoryHandle("anabranch")).getDirectoryHandle("tests");
        const handle = await directory.getFileHandle(file);
        const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
        const changed = (0, eval)(`(${change})`)(bytes);
        const writable = await handle.createWritable();
        await writable.write(changed);
        await writable.close();
      },
      [file, String(change)],
    );

  await test("a database of a newer format is refused as such, and stays as it is", async (context) => {
    const page = await opened(rig, context);
    await put(page, 0, 3);
    await page.evaluate(() => globalThis.db.close());
    // The header stands four times: its magic, the format, and their sum (CRC-32C).
    const newer = (bytes) => {
      for (let at = 0; at < 4 * 4096 && at + 4096 <= bytes.length; at += 4096) {
        const view = new DataView(bytes.buffer, at);
        if (bytes[at] !== 0x61) continue;
        view.setUint32(16, view.getUint32(16, true) === 99 ? 1 : 99, true);
        let sum = ~0;
        for (const byte of bytes.subarray(at, at + 20)) {
          sum ^= byte;
          for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f63b78 : 0);
        }
        view.setUint32(20, ~sum, true);
      }
      return bytes;
    };
    await altered(page, "tree", newer);
    assert.equal(await code(page, () => globalThis.anabranch.Anabranch.open({ storage: "opfs", name: "tests" })), "NEWER_FORMAT");
    await altered(page, "tree", (bytes) => bytes);
    assert.equal(await code(page, () => globalThis.anabranch.Anabranch.open({ storage: "opfs", name: "tests" })), "NEWER_FORMAT");
  });

  await test("files that are altered are refused or say so: never a trap, never another value", async (context) => {
    const changes = {
      "no database": (bytes) => bytes.fill(0x5a),
      cut: (bytes) => bytes.slice(0, bytes.length >> 1),
      "altered in the middle": (bytes) => bytes.fill(0x5a, bytes.length >> 1, (bytes.length >> 1) + 64),
      "altered at the front": (bytes) => bytes.fill(0x5a, 0, 64),
      empty: (bytes) => bytes.slice(0, 0),
    };
    const codes = {};
    for (const file of ["log", "tree"]) {
      for (const [name, change] of Object.entries(changes)) {
        const mine = await rig.context();
        const page = await opened(rig, mine);
        await page.evaluate(async () => {
          for (let value = 0; value < 300; value++) await globalThis.db.put("n", `k${value % 50}`, { value, text: "x".repeat(300) });
          await globalThis.db.close();
        });
        await altered(page, file, change);
        const found = await page.evaluate(async () => {
          try {
            const db = await globalThis.anabranch.Anabranch.open({ storage: "opfs", name: "tests" });
            let wrong = 0;
            const codes = new Set();
            for (let key = 0; key < 50; key++) {
              try {
                const { value } = await db.get("n", `k${key}`);
                if (value.value % 50 !== key || value.text !== "x".repeat(300)) wrong += 1;
              } catch (error) {
                codes.add(error.code);
              }
            }
            const { damages } = await db.verify().catch((error) => ({ damages: [error.code] }));
            await db.close();
            return { wrong, codes: [...codes], damages: damages.length };
          } catch (error) {
            return { wrong: 0, codes: [error.code ?? String(error)] };
          }
        });
        assert.equal(found.wrong, 0, `${file} ${name}`);
        codes[`${file} ${name}`] = found;
        for (const its of found.codes) assert.ok(["DAMAGED", "NOT_A_DATABASE", "KEY_NOT_FOUND", "NEWER_FORMAT"].includes(its), `${file} ${name}: ${its}`);
        await mine.close();
      }
    }
    const all = Object.values(codes).flatMap(({ codes }) => codes);
    assert.ok(all.includes("NOT_A_DATABASE") || all.includes("DAMAGED"), JSON.stringify(codes));
  });
} finally {
  await rig.end();
}
tally.finish();
