// Runs the glued conformance suite in each kind of place that a JavaScript host offers, and checks that no timer is left.
//
//   node tests/node/run.mjs OUT_DIR/anabranch_node_tests.js
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { fileURLToPath } from "node:url";

// What a place lacks. An edge isolate may have no `performance` and no `queueMicrotask`: the clock is then Date's, and
// tasks go through resolved promises.
const PLACES = [
  { name: "a worker", lacks: [] },
  { name: "a host without performance", lacks: ["performance"] },
  { name: "a host without queueMicrotask", lacks: ["queueMicrotask"] },
];

if (isMainThread) {
  const [module] = process.argv.slice(2);
  if (module === undefined) {
    console.error("usage: node run.mjs OUT_DIR/anabranch_node_tests.js");
    process.exit(2);
  }
  let failed = false;
  for (const place of PLACES) {
    console.log(`\nin ${place.name}:`);
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { module: resolve(module), ...place } });
    const code = await new Promise((done) => {
      worker.once("error", (error) => {
        console.error(error);
        done(1);
      });
      worker.once("exit", done);
    });
    failed ||= code !== 0;
  }
  console.log("\nin the main thread:");
  createRequire(import.meta.url)(resolve(module));
  process.once("exit", (code) => {
    if (failed) process.exitCode = 1;
    else if (code === 0) console.log("\nall places keep the contract");
  });
} else {
  for (const name of workerData.lacks) {
    delete globalThis[name];
    if (name in globalThis) throw new Error(`${name} cannot be taken away here`);
  }
  createRequire(import.meta.url)(workerData.module);
  // A worker ends by itself when nothing is left to wait for: a timer that was not cleared would keep it for days.
}
