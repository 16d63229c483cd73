// Measures the npm package in Chromium and in Node beside its peers: `@sqlite.org/sqlite-wasm` (VFS `opfs-sahpool`), `dexie` and
// `@electric-sql/pglite`, in the same page and on the same disk.
//
//   ANABRANCH_PACKAGE=FOLDER node bench/wasm/run.mjs OUT.json [--row=JSON …] [--minutes N] [--only WORD]
//
// `--row` takes what another program has measured into the report; `--minutes` is how long the long run takes (10); `--only` runs
// the cases whose names hold a word. `cargo xtask bench wasm` builds the package, measures beside, and runs this.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startRig } from "../../tests/browser/rig.mjs";
import { Report, atLeast, atMost, interleaved, median } from "./report.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PACKAGE = resolve(process.env.ANABRANCH_PACKAGE ?? join(HERE, "../../target/npm/anabranch"));
if (!existsSync(join(PACKAGE, "package.json"))) throw new Error(`there is no package in ${PACKAGE}: build it with \`cargo xtask npm\``);

/** KoruDelta's puts a second through its JavaScript API, in Node, as it was measured on this kind of machine. */
const KORU_PUTS = 144;
/** Its gets a second without JavaScript: it has no figure with. */
const KORU_NATIVE_GETS = 4_300;
const SQLITE = "sqlite-wasm, opfs-sahpool";
/** Of a database that is opened with them. */
const VERSIONS = 100_000;

const { values: asked, positionals } = parseArgs({
  allowPositionals: true,
  options: { row: { type: "string", multiple: true, default: [] }, minutes: { type: "string", default: "10" }, only: { type: "string", default: "" } },
});
const [out] = positionals;
if (out === undefined) throw new Error("usage: run.mjs OUT.json [--row=JSON …] [--minutes N] [--only WORD]");

const report = new Report();
for (const row of asked.row) report.foreign(JSON.parse(row));

// On a disk: without a profile Chromium keeps files in memory. Isolated pages have a clock of 5 µs.
const profile = mkdtempSync(join(tmpdir(), "anabranch-bench-"));
const rig = await startRig({
  roots: { "/package/": PACKAGE, "/parts/": join(PACKAGE, "../parts"), "/bench/": join(HERE, "served"), "/peers/": join(HERE, "node_modules") },
  isolated: true,
  profile,
  args: ["--js-flags=--expose-gc", "--enable-blink-features=ForceEagerMeasureMemory"],
});
let databases = 0;
const fresh = (name) => `${name}-${++databases}`;

/** Calls a function of served/cases.js in a page. */
const call = (page, name, ...words) =>
  page.evaluate(async ([name, words]) => (await import("/bench/cases.js"))[name](...words), [name, words]);

/** The same in a page of its own, which has loaded nothing. */
async function calledCold(name, ...words) {
  const page = await rig.page();
  try {
    return await call(page, name, ...words);
  } finally {
    await page.close();
  }
}

const inNode = (...words) => JSON.parse(execFileSync(process.execPath, [join(HERE, "node.mjs"), PACKAGE, ...words], { encoding: "utf8" }));

const CASES = {
  async "put and get in memory"() {
    const count = 50_000;
    const page = await rig.page();
    const inChromium = [];
    for (let run = 0; run < 6; run++) inChromium.push(await call(page, "inMemoryHere", count));
    await page.close();
    for (const [place, runs] of [["Node", inNode("memory", count)], ["Chromium", inChromium.slice(1)]]) {
      const [puts, gets] = ["puts", "gets"].map((what) => median(runs.map((run) => run[what])));
      const note = `medians of ${runs.length} times ${count}, each awaited`;
      report.figure({ case: `put in memory, through the JavaScript API, ${place}`, unit: "puts/s", ours: puts, bound: atLeast(100_000), note });
      report.figure({ case: `get in memory, through the JavaScript API, ${place}`, unit: "gets/s", ours: gets, bound: atLeast(100_000), note });
      report.row({ case: `put in memory beside KoruDelta's, ${place}`, unit: "puts/s", ours: puts, peer: ["KoruDelta 3.0 in Node", KORU_PUTS], bound: atLeast(500) });
      report.row({ case: `get in memory beside KoruDelta's, ${place}`, unit: "gets/s", ours: gets, peer: ["KoruDelta 3.0, native", KORU_NATIVE_GETS], note: "it has no figure through JavaScript" });
    }
  },

  async "open an empty database, cold"() {
    const opened = await interleaved(
      7,
      Object.fromEntries(["anabranch", "sqlite", "bare"].map((name) => [name, () => calledCold("opening", name, fresh("empty"))])),
      { isCold: true },
    );
    const memory = await interleaved(7, { ours: () => calledCold("openingMemory") }, { isCold: true });
    const note = "a new tab: modules, worker, engine, files";
    report.row({ case: "open an empty database, cold, Chromium, on disk", unit: "ms", ours: opened.anabranch, peer: [SQLITE, opened.sqlite], bound: atMost(0.5), note });
    const beyond = "what opening on disk takes beyond a worker with two files";
    const bare = `such a worker, which opens, writes and flushes them, takes ${opened.bare.toFixed(0)} ms`;
    report.figure({ case: `${beyond}, cold, Chromium`, unit: "ms", ours: opened.anabranch - opened.bare, bound: atMost(50), note: bare });
    report.figure({ case: "open an empty database, cold, Chromium, in memory", unit: "ms", ours: memory.ours, bound: atMost(50), note: "a new tab: modules, engine" });
    const directory = mkdtempSync(join(tmpdir(), "anabranch-bench-node-"));
    const node = await interleaved(7, {
      memory: () => inNode("open"),
      file: () => inNode("open", join(directory, fresh("file"))),
      again: () => inNode("again", join(directory, fresh("again"))),
    });
    rmSync(directory, { recursive: true });
    report.figure({ case: "open an empty database, cold, Node, in memory", unit: "ms", ours: node.memory, bound: atMost(30), note: "a new process, after Node has started" });
    report.figure({ case: "open an empty database, cold, Node, in a directory", unit: "ms", ours: node.file, note: "the same; redb's functions are compiled as they are called" });
    report.figure({ case: "open an empty database, Node, in a directory, in a process that has opened one", unit: "ms", ours: node.again, bound: atMost(30), note: "what is left once those are compiled" });
  },

  async "durable writes and reads on disk"() {
    const page = await rig.page();
    // How many puts in a round: about as long for each.
    const counts = { anabranch: 200, sqlite: 200, sqliteWal: 200, dexie: 100, dexieRelaxed: 200, pglite: 40 };
    const names = Object.keys(counts);
    for (const name of names) await call(page, "begin", name, fresh("durable"));
    const each = (what, share = 1, some = names) =>
      interleaved(5, Object.fromEntries(some.map((name) => [name, () => call(page, what, name, Math.max(1, Math.round(counts[name] * share)))])));
    const one = await each("puts");
    const hundred = await each("batches", 0.1);
    const reads = await each("gets", 2);
    const inside = await each("putsInside", 1, ["sqlite", "sqliteWal"]);
    for (const name of names) await call(page, "end", name);
    await page.close();
    const beside = (what, unit, figures, bounds) => {
      for (const [name, peer, bound] of [
        ["sqlite", SQLITE, bounds.sqlite],
        ["dexie", "Dexie, strict", bounds.dexie],
        ["dexieRelaxed", "Dexie, not durable"],
        ["sqliteWal", "sqlite-wasm, exclusive WAL"],
        ["pglite", "PGlite, opfs-ahp"],
      ]) {
        report.row({ case: what, unit, ours: figures.anabranch, peer: [peer, figures[name]], bound });
      }
    };
    const bounds = { sqlite: atLeast(1), dexie: atLeast(2) };
    beside("durable put, one by one, from a page", "puts/s", one, bounds);
    beside("durable put, batches of 100, from a page", "puts/s", hundred, bounds);
    beside("get one by one, from a page, on disk", "gets/s", reads, {});
    for (const [name, peer] of [["sqlite", SQLITE], ["sqliteWal", "sqlite-wasm, exclusive WAL"]]) {
      report.row({ case: "durable put from a page, the peer's in its worker", unit: "puts/s", ours: one.anabranch, peer: [peer, inside[name]], note: "no message to the peer" });
    }
  },

  async "open a database of 100,000 versions"() {
    const names = { anabranch: fresh("full"), sqlite: fresh("full") };
    const page = await rig.page();
    for (const [name, database] of Object.entries(names)) {
      await call(page, "begin", name, database);
      await call(page, "fill", name, VERSIONS);
      await call(page, "end", name);
    }
    await page.close();
    const opened = await interleaved(
      7,
      Object.fromEntries(Object.entries(names).map(([name, database]) => [name, () => calledCold("openingFull", name, database)])),
      { isCold: true },
    );
    report.row({ case: "open a database of 100,000 versions, and get a value", unit: "ms", ours: opened.anabranch, peer: [SQLITE, opened.sqlite], bound: atMost(1.5), note: "a new tab each" });
  },

  async "from a put to its subscription"() {
    const page = await rig.page();
    const memory = await call(page, "toOwnCallback", {}, 2000);
    const kept = await call(page, "toOwnCallback", { storage: "opfs", name: fresh("callback") }, 500);
    const database = fresh("tabs");
    report.figure({ case: "a put to its subscription's callback, same tab", unit: "ms", ours: memory, bound: atMost(0.2), note: "median, in memory" });
    report.figure({ case: "a durable put to its subscription's callback, same tab", unit: "ms", ours: kept, note: "median: with the disk's sync in it" });
    for (const [leads, follows] of [["echo", "toOtherTab"], ["toOtherTab", "echo"]]) {
      // Whoever opens first leads.
      const [one, other] = [await rig.page(), await rig.page()];
      let took;
      if (leads === "echo") {
        await call(one, "echo", database);
        took = await call(other, "toOtherTab", database, 300);
      } else {
        await one.evaluate(async (name) => {
          const { Anabranch } = await import("/package/index.js");
          globalThis.leading = await Anabranch.open({ storage: "opfs", name });
        }, database);
        await call(other, "echo", database);
        took = await call(one, "toOtherTab", database, 300);
      }
      const which = follows === "echo" ? "the tab that leads writes" : "the tab that follows writes";
      report.figure({ case: `a durable put to a callback in another tab, ${which}`, unit: "ms", ours: took, bound: atMost(5), note: "median, with the sync, and the word of it that comes back" });
      await one.close();
      await other.close();
    }
    await page.close();
  },

  async "a long run"() {
    const minutes = Number(asked.minutes);
    const child = spawn(process.execPath, ["--expose-gc", join(HERE, "node.mjs"), PACKAGE, "soak", String(minutes)], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (text) => (said += text));
    const ended = once(child, "exit");
    const page = await rig.page();
    await page.evaluate(async (name) => {
      const { Anabranch } = await import("/parts/index.js");
      globalThis.db = await Anabranch.open({ storage: "opfs", name, hotBytes: 1 << 20 });
      await (await import("/bench/soak.js")).warm(globalThis.db);
    }, fresh("soak"));
    const samples = [];
    for (let minute = 0; minute < minutes; minute++) {
      await page.evaluate(async () => (await import("/bench/soak.js")).soak(globalThis.db, 60_000));
      samples.push(await memoryOf(page));
    }
    await page.close();
    const [code] = await ended;
    if (code !== 0) throw new Error(`the long run in Node ended with ${code}`);
    for (const [place, taken] of [["Chromium", samples], ["Node", JSON.parse(said)]]) {
      const [first, last] = [taken[0], taken.at(-1)];
      const note = `after the first of ${minutes} minutes: wasm ${first.wasm} bytes, JavaScript ${first.heap}; at the end ${last.wasm}, ${last.heap}`;
      report.figure({ case: `growth of the engine's memory after the first minute, ${place}`, unit: "bytes", ours: last.wasm - first.wasm, bound: atMost(0), note });
      // What V8 has compiled meanwhile counts as well.
      report.figure({ case: `growth of JavaScript's memory after the first minute, ${place}`, unit: "bytes", ours: last.heap - first.heap, bound: atMost(512 << 10), note: "after a collection" });
    }
  },
};

/** What the engine in the page's worker has taken, and what JavaScript has after a collection: in the page and its worker. */
async function memoryOf(page) {
  const [worker] = page.workers();
  const wasm = await worker.evaluate(async () => {
    globalThis.gc();
    // It is the module that the worker runs, and so gives what that exports.
    return (await import("/parts/engine-store.js")).initSync().memory.buffer.byteLength;
  });
  const heap = await page.evaluate(async () => {
    globalThis.gc();
    const { breakdown } = await performance.measureUserAgentSpecificMemory();
    return breakdown.filter(({ types }) => types.includes("JavaScript")).reduce((sum, { bytes }) => sum + bytes, 0);
  });
  return { wasm, heap };
}

try {
  for (const [name, run] of Object.entries(CASES)) if (name.includes(asked.only)) await run();
  rig.expectNoErrors();
} finally {
  await rig.end();
  rmSync(profile, { recursive: true, force: true });
}
report.write(out);
