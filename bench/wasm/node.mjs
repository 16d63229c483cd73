// What is measured in Node, in a process of its own: `open` cold, in memory or in a directory, or `again` after another one in the
// same process; puts and gets; a long run.
//
//   node [--expose-gc] bench/wasm/node.mjs PACKAGE open|again|memory|soak [DIRECTORY|COUNT|MINUTES]
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const [folder, what, word] = process.argv.slice(2);
const door = pathToFileURL(join(folder, "node.js")).href;
const say = (measured) => console.log(JSON.stringify(measured));

/** Milliseconds from nothing to an answer of an open database: in this directory, or in memory. */
async function opening(directory) {
  const begin = performance.now();
  const { Anabranch } = await import(door);
  const db = await Anabranch.open(directory === undefined ? {} : { storage: "file", name: directory });
  await db.listNamespaces({ limit: 1 });
  const took = performance.now() - begin;
  await db.close();
  return took;
}

switch (what) {
  case "open": {
    say(await opening(word));
    break;
  }
  case "again": {
    await opening(`${word}-before`);
    say(await opening(word));
    break;
  }
  case "memory": {
    const { Anabranch } = await import(door);
    const { inMemory } = await import("./served/cases.js");
    const runs = [];
    // The first is before the compiler knows what it is about.
    for (let run = 0; run < 6; run++) runs.push(await inMemory(Anabranch, Number(word)));
    say(runs.slice(1));
    break;
  }
  case "soak": {
    const { mkdtemp, rm } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    // The door of the parts, which tell how much memory their engine has.
    const part = (file) => import(pathToFileURL(join(folder, "../parts", file)).href);
    const { Anabranch } = await part("node.js");
    const { soak, warm } = await import("./served/soak.js");
    const { initSync } = await part("engine-node.js");
    const directory = await mkdtemp(join(tmpdir(), "anabranch-soak-"));
    const db = await Anabranch.open({ storage: "file", name: directory, hotBytes: 1 << 20 });
    await warm(db);
    const samples = [];
    for (let minute = 0; minute < Number(word); minute++) {
      await soak(db, 60_000);
      globalThis.gc();
      samples.push({ wasm: initSync().memory.buffer.byteLength, heap: process.memoryUsage().heapUsed });
    }
    await db.close();
    await rm(directory, { recursive: true });
    say(samples);
    break;
  }
  default:
    throw new Error(`there is nothing called ${what} to measure`);
}
