// Several tabs of one origin share one database: one of them holds the storage, and another takes over when it goes.
import assert from "node:assert/strict";
import { Tally } from "../../../../tests/browser/tally.mjs";
import { OPFS, code, count, follow, open, opened, put, seen, started, values } from "./pages.mjs";

const tally = new Tally();
const rig = await started();
/** Names of tests hold this, if it is given: for whoever works on one. */
const [wanted = ""] = process.argv.slice(2);

/** With so many tabs of a context of its own, of which the first leads. */
const test = (name, tabs, body) =>
  name.includes(wanted) &&
  tally.test(name, async () => {
    const context = await rig.context();
    try {
      const pages = [];
      for (let tab = 0; tab < tabs; tab++) pages.push(await opened(rig, context));
      await body(pages, context);
    } finally {
      await context.close();
      rig.errors.length = 0;
    }
  }, 40_000);

/** Writes on and on in a page, a few at a time; what is acknowledged is in `acknowledged` there. */
const writeOn = (page, key) =>
  page.evaluate((key) => {
    globalThis.acknowledged = [];
    const write = async (writer) => {
      for (let at = 0; !globalThis.enough; at++) {
        const { versionId } = await globalThis.db.put("n", `${key}${writer}`, { at, key: `${key}${writer}` });
        globalThis.acknowledged.push(versionId);
        // Others have their turn, too: whoever kills this tab.
        await new Promise((resolve) => setTimeout(resolve));
      }
    };
    globalThis.writing = Promise.all([write(0), write(1), write(2)]);
  }, key);

const wrote = (page, many) => page.waitForFunction((many) => globalThis.acknowledged.length >= many, many, { polling: 10 });

/** Ends the writing, and checks that all is there once: what was acknowledged, in each key's order. */
async function allIsThere(page, keys) {
  const acknowledged = await page.evaluate(async () => {
    globalThis.enough = true;
    await globalThis.writing;
    return globalThis.acknowledged;
  });
  const missing = await page.evaluate(async (ids) => {
    const found = await Promise.allSettled(ids.map((id) => globalThis.db.findVersion(id)));
    return found.filter(({ status }) => status === "rejected").length;
  }, acknowledged);
  assert.equal(missing, 0, "what was acknowledged is there");
  assert.equal(new Set(acknowledged).size, acknowledged.length, "each was acknowledged as a version of its own");
  for (const key of keys) {
    const all = (await values(page, key)).map(({ at }) => at);
    assert.deepEqual(all, count(0, all.length), `${key}: each once, none left out`);
  }
  assert.deepEqual((await page.evaluate(() => globalThis.db.verify())).damages, []);
}

try {
  await test("two tabs read what the other wrote, and see it in one order", 2, async ([one, two]) => {
    await follow(one);
    await follow(two);
    await Promise.all([put(one, 0, 100, "a"), put(two, 1000, 1100, "b")]);
    const [first, second] = [await seen(one, 200), await seen(two, 200)];
    assert.deepEqual(first, second);
    assert.deepEqual([...first].sort((a, b) => a - b), [...count(0, 100), ...count(1000, 1100)]);
    assert.deepEqual(first.filter((value) => value < 1000), count(0, 100));
    const order = await one.evaluate(async () => {
      const all = [...(await globalThis.db.history("n", "a", { limit: 1000 })), ...(await globalThis.db.history("n", "b", { limit: 1000 }))];
      return all.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1)).map(({ value }) => value);
    });
    assert.deepEqual(first, order, "the order in which they were written");
    assert.deepEqual(await values(two, "a"), count(0, 100));
    rig.expectNoErrors();
  });

  await test("a tab that follows from the beginning as soon as it has opened sees each version once", 1, async ([one], context) => {
    await put(one, 0, 20);
    for (let tab = 0; tab < 3; tab++) {
      const page = await rig.page(undefined, context);
      const all = await page.evaluate(async (options) => {
        const { Anabranch } = await import("/package/index.js");
        const db = await Anabranch.open(options);
        const seen = [];
        // Without waiting for anything else.
        db.subscribe("n", { from: "beginning" }, ({ value }) => seen.push(value));
        await db.put("n", "last", "last");
        while (!seen.includes("last")) await new Promise((resolve) => setTimeout(resolve));
        await db.delete("n", "last");
        return seen;
      }, OPFS);
      assert.deepEqual(all.filter((value) => typeof value === "number"), count(0, 20));
    }
  });

  await test("in three tabs compare-and-set loses no update", 3, async (pages) => {
    await pages[0].evaluate(() => globalThis.db.put("n", "count", 0));
    const up = (page) =>
      page.evaluate(async () => {
        for (let done = 0; done < 30; ) {
          const { value, versionId } = await globalThis.db.get("n", "count");
          await globalThis.db.putIf("n", "count", value + 1, versionId).then(() => (done += 1), (error) => {
            if (error.code !== "CONFLICT") throw error;
          });
        }
      });
    await Promise.all(pages.map(up));
    assert.equal(await pages[1].evaluate(async () => (await globalThis.db.get("n", "count")).value), 90);
  });

  await test("errors, large values and slow readers are the same through another tab", 2, async ([, two]) => {
    assert.equal(await code(two, () => globalThis.db.get("n", "nothing")), "KEY_NOT_FOUND");
    assert.equal(await code(two, () => globalThis.db.put("n", "k", [undefined])), "INVALID_VALUE");
    const size = await two.evaluate(async () => {
      await globalThis.db.put("n", "large", new Uint8Array(500_000).fill(7));
      return (await globalThis.db.get("n", "large")).value.length;
    });
    assert.equal(size, 500_000);
    const seen = await two.evaluate(async () => {
      const following = globalThis.db.subscribe("slow");
      await following.ready;
      await globalThis.db.writeBatch(Array.from({ length: 3000 }, (_, at) => ({ namespace: "slow", key: `k${String(at).padStart(4, "0")}`, value: at })));
      const seen = [];
      for await (const { value } of following) if (seen.push(value) === 3000) break;
      return seen;
    });
    assert.deepEqual(seen, count(0, 3000));
  });

  await test("when the tab that leads closes its database, the next one leads, and nobody notices", 3, async ([one, two, three]) => {
    for (const page of [two, three]) await follow(page);
    await put(one, 0, 10);
    await put(two, 10, 20);
    await one.evaluate(() => globalThis.db.close());
    await put(three, 20, 30);
    await put(two, 30, 40);
    for (const page of [two, three]) assert.deepEqual(await seen(page, 40), count(0, 40));
    assert.deepEqual(await values(three), count(0, 40));
    // The one that closed may come back.
    await open(one, OPFS);
    await put(one, 40, 41);
    assert.deepEqual(await seen(two, 41), count(0, 41));
    rig.expectNoErrors();
  });

  for (const [how, end] of [
    ["is closed", (page) => page.close()],
    ["reloads", (page) => page.reload()],
    ["is killed", (page) => rig.crash(page)],
  ]) {
    await test(`when the tab that leads ${how} in the midst of writing, nothing acknowledged is lost, and nobody misses a thing`, 3, async ([one, two, three]) => {
      await follow(three);
      await writeOn(one, "one");
      await writeOn(two, "two");
      await wrote(one, 30);
      await wrote(two, 30);
      const before = await two.evaluate(() => globalThis.acknowledged.length);
      await end(one);
      // The next one leads: it acknowledges again.
      await wrote(two, before + 50);
      await allIsThere(two, ["two0", "two1", "two2"]);
      // Whoever follows has seen each version, once and in order.
      const total = await two.evaluate(async () => {
        let total = 0;
        for (const key of await globalThis.db.listKeys("n")) total += (await globalThis.db.history("n", key, { limit: 100_000 })).length;
        return total;
      });
      const all = await seen(three, total);
      assert.equal(all.length, total);
      for (const key of ["one0", "one1", "one2", "two0", "two1", "two2"]) {
        const its = all.filter((value) => value.key === key).map(({ at }) => at);
        assert.deepEqual(its, count(0, its.length), `${key}: each once, in order`);
      }
    });
  }

  await test("writes that say the same, made and not answered when the tab that leads goes, are each found once", 0, async (_, context) => {
    // The first tab's worker answers nobody from when it is told.
    const real = await (await fetch(`${rig.origin}/package/worker.js`)).text();
    const muted = `{
      const post = BroadcastChannel.prototype.postMessage;
      let muted = false;
      new BroadcastChannel("mute").onmessage = () => (muted = true);
      BroadcastChannel.prototype.postMessage = function (message) {
        if (!muted || message.message?.answers === undefined) return post.call(this, message);
        post.call(new BroadcastChannel("muted"), message.message.answers.length);
      };
    }`;
    await context.route("**/package/worker.js", (route) => route.fulfill({ contentType: "text/javascript", body: `${muted}\n${real}` }));
    const one = await opened(rig, context);
    await context.unroute("**/package/worker.js");
    const two = await opened(rig, context);
    // One that is answered, at about the same time.
    const told = await two.evaluate(async () => {
      const made = new Promise((resolve) => (new BroadcastChannel("muted").onmessage = resolve));
      const told = globalThis.db.put("n", "k", "same");
      await told;
      new BroadcastChannel("mute").postMessage(null);
      // Until the other tab has heard it, its answers come.
      const asked = [];
      const ask = () => asked.push(globalThis.db.put("n", "k", "same"));
      ask();
      const asking = setInterval(ask);
      await made;
      clearInterval(asking);
      for (let more = 0; more < 3; more++) ask();
      globalThis.asked = [told, ...asked];
      return (await told).versionId;
    });
    await one.close();
    const versions = await two.evaluate(async () => (await Promise.all(globalThis.asked)).map(({ versionId }) => versionId));
    assert.equal(versions[0], told);
    const history = await two.evaluate(async () => (await globalThis.db.history("n", "k", { limit: 100_000 })).map(({ versionId }) => versionId).reverse());
    assert.deepEqual(history, versions, "each is a version of its own, and there are no others");
  });

  await test("what a tab asks just as its worker takes over is done once", 0, async (_, context) => {
    const one = await opened(rig, context);
    // What the second tab's page sends arrives, from when it is told, only after that page was told of another engine.
    const real = await (await fetch(`${rig.origin}/package/worker.js`)).text();
    const late = `{
      const post = globalThis.postMessage.bind(globalThis);
      const told = new BroadcastChannel("late");
      let held = null;
      told.onmessage = () => {
        held = [];
        told.postMessage("holds");
      };
      globalThis.addEventListener("message", (event) => {
        if (held === null || !(event.data.calls?.length > 0)) return;
        event.stopImmediatePropagation();
        held.push(event.data);
        told.postMessage("held");
      });
      globalThis.postMessage = (message) => {
        post(message);
        if (!message.restart) return;
        const came = held ?? [];
        held = null;
        for (const data of came) globalThis.dispatchEvent(new MessageEvent("message", { data }));
      };
    }`;
    await context.route("**/package/worker.js", (route) => route.fulfill({ contentType: "text/javascript", body: `${late}\n${real}` }));
    const two = await opened(rig, context);
    await context.unroute("**/package/worker.js");
    await two.evaluate(async () => {
      const channel = new BroadcastChannel("late");
      const said = (word) => new Promise((resolve) => (channel.onmessage = ({ data }) => data === word && resolve()));
      const holds = said("holds");
      channel.postMessage("hold");
      await holds;
      const held = said("held");
      globalThis.asked = globalThis.db.put("n", "k", "once");
      await held;
    });
    await one.close();
    await two.evaluate(() => globalThis.asked);
    assert.deepEqual(await two.evaluate(async () => (await globalThis.db.history("n", "k")).map(({ value }) => value)), ["once"]);
  });

  await test("an export as a stream comes through another tab, and says so when that goes; a whole one begins anew", 2, async ([one, two]) => {
    const [length, whole] = await two.evaluate(async () => {
      const value = new Uint8Array(300_000);
      for (let at = 0; at < 5; at++) await globalThis.db.put("n", `k${at}`, value.fill(at));
      let length = 0;
      for await (const piece of await globalThis.db.export({ stream: true })) length += piece.length;
      globalThis.midst = (await globalThis.db.export({ stream: true })).getReader();
      await globalThis.midst.read();
      return [length, (await globalThis.db.export()).length];
    });
    assert.equal(length, whole);
    await two.evaluate(async () => {
      const { Anabranch } = globalThis.anabranch;
      globalThis.other = await Anabranch.open({ storage: "memory" });
      // A stream that waits for the other tab to go.
      const reader = (await globalThis.db.export({ stream: true })).getReader();
      const { value } = await reader.read();
      globalThis.importing = globalThis.db.import({
        async *[Symbol.asyncIterator]() {
          yield value;
          await new Promise((resolve) => (globalThis.goOn = resolve));
          yield value;
        },
      });
    });
    // Its first piece is taken.
    await two.waitForFunction(() => globalThis.goOn !== undefined, undefined, { polling: 10 });
    await one.close();
    assert.equal(await code(two, async () => { while (!(await globalThis.midst.read()).done); }), "EXPORT_FAILED");
    assert.equal(await code(two, () => { globalThis.goOn(); return globalThis.importing; }), "INVALID_IMPORT");
    assert.equal(await two.evaluate(async () => (await globalThis.db.export()).length), whole);
    assert.deepEqual(await two.evaluate(async () => globalThis.db.import(await globalThis.db.export())), { new: 0, known: 5 });
  });

  await test("the next tab leads within a second, and waits for no timers on the way", 0, async (_, context) => {
    // What workers wait for timers, added up.
    const real = await (await fetch(`${rig.origin}/package/worker.js`)).text();
    const counted = `{
      const set = globalThis.setTimeout;
      const said = new BroadcastChannel("timers");
      globalThis.setTimeout = (work, milliseconds = 0, ...rest) => {
        said.postMessage(milliseconds);
        return set(work, milliseconds, ...rest);
      };
    }`;
    await context.route("**/package/worker.js", (route) => route.fulfill({ contentType: "text/javascript", body: `${counted}\n${real}` }));
    const one = await opened(rig, context);
    const two = await opened(rig, context);
    await put(one, 0, 100);
    await two.evaluate(async () => {
      // What this machine takes to load an engine and to open files.
      const begun = performance.now();
      await (await globalThis.anabranch.Anabranch.open({ storage: "opfs", name: "another" })).close();
      globalThis.opening = performance.now() - begun;
      globalThis.waited = 0;
      new BroadcastChannel("timers").onmessage = ({ data }) => (globalThis.waited += data);
      globalThis.longest = 0;
      globalThis.enough = false;
      globalThis.writing = (async () => {
        for (let value = 0; !globalThis.enough; value++) {
          const asked = performance.now();
          await globalThis.db.put("n", "two", value);
          globalThis.longest = Math.max(globalThis.longest, performance.now() - asked);
          globalThis.wrote = value;
          await new Promise((resolve) => setTimeout(resolve));
        }
      })();
    });
    await two.waitForFunction(() => globalThis.wrote > 10, undefined, { polling: 10 });
    const before = await two.evaluate(() => globalThis.wrote);
    await one.close();
    // One more than can have been asked before.
    await two.waitForFunction((before) => globalThis.wrote > before + 100, before, { polling: 10 });
    const { longest, opening, waited } = await two.evaluate(async () => {
      globalThis.enough = true;
      await globalThis.writing;
      return { longest: globalThis.longest, opening: globalThis.opening, waited: globalThis.waited };
    });
    console.log(`        ${Math.round(longest)} ms, of which the machine takes about ${Math.round(opening)} to open a database; ${waited} ms of timers`);
    assert.ok(longest < 1000 + opening, `the longest put took ${longest} ms, and to open a database takes ${opening}`);
    assert.ok(waited < 1000, `it waited for timers of ${waited} ms`);
  });

  await test("when a tab that follows is killed, those that are left go on, and its subscriptions are forgotten", 3, async ([one, two, three]) => {
    await follow(two);
    await follow(three);
    await put(two, 0, 5);
    await rig.crash(two);
    await put(one, 5, 10);
    await put(three, 10, 15);
    assert.deepEqual(await seen(three, 15), count(0, 15));
  });

  await test("of six tabs each takes over in its turn", 6, async (pages) => {
    for (let at = 0; at < pages.length; at++) {
      await put(pages[at], at, at + 1);
      if (at < pages.length - 1) await pages[at].close();
    }
    assert.deepEqual(await values(pages.at(-1)), count(0, pages.length));
  });
} finally {
  await rig.end();
}
tally.finish();
