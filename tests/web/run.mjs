// Runs what this crate was glued to in each kind of place that Node offers, with the package `ws` for its WebSocket.
//
//   node tests/web/run.mjs OUT_DIR/anabranch_web_tests.js
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { startMosquitto } from "../browser/mosquitto.mjs";
import { startPeers } from "../browser/peers.mjs";
import { Tally } from "../browser/tally.mjs";
import house, { overMosquitto, refused } from "./links.mjs";
import { panics } from "./panics.mjs";

const require = createRequire(new URL("../browser/", import.meta.url));

// What a place lacks. An edge isolate may have no `performance` and no `queueMicrotask`: the clock is then Date's.
const PLACES = [
  { name: "a worker", lacks: [] },
  { name: "a host without performance", lacks: ["performance"] },
  { name: "a host without queueMicrotask", lacks: ["queueMicrotask"] },
];

/** An instance of its own. */
function fresh(module) {
  delete require.cache[require.resolve(module)];
  const web = require(module);
  web.useWebSocket(require("ws"));
  return web;
}

if (isMainThread) {
  const [given] = process.argv.slice(2);
  if (given === undefined) {
    console.error("usage: node run.mjs OUT_DIR/anabranch_web_tests.js");
    process.exit(2);
  }
  // A suite that hangs with nothing left to wait for ends the process in silence: that is a failure too.
  process.exitCode = 1;
  const module = resolve(given);
  const tally = new Tally();
  const peers = await startPeers();
  // All of them at once: most of their time they wait.
  const workers = PLACES.map((place) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { module, ports: peers.ports, ...place } });
    const lines = [];
    worker.on("message", (line) => lines.push(line));
    const code = new Promise((done, fails) => worker.once("error", fails).once("exit", done));
    code.catch(() => {}); // it is looked at in its turn
    return { name: place.name, lines, code };
  });
  for (const { name, lines, code } of workers) {
    await tally.test(`${name} ends by itself, with nothing left to wait for`, async () => {
      const ended = await code;
      console.log(`\nin ${name}:`);
      for (const line of lines.filter((line) => line !== "end")) tally.line(line);
      if (ended !== 0 || lines.at(-1) !== "end") throw new Error(`it ended with ${ended}, its last line: ${lines.at(-1)}`);
    }, 300_000);
  }
  console.log("\nin the main thread:");
  await fresh(module).conformance((line) => tally.line(line), peers.ports, true);
  console.log("\npanics:");
  await panics(() => fresh(module), peers.ports[0], (line) => tally.line(line));
  console.log("\nlinks:");
  const broker = await startMosquitto();
  await tally.test("links over MQTT and WebSocket come back after their broker was killed", async () => {
    const run = (input, log) => {
      fresh(module); // hands `ws` in to the instance that the house finds
      return house({ web: module, ...input }, log);
    };
    await overMosquitto(broker, run, "node");
  });
  const secured = await broker.secured();
  await tally.test("a certificate that nobody trusts is said to be none", async () => {
    const lastError = await refused(fresh(module), secured.url);
    if (!/signed by a CA that is not trusted/.test(lastError)) throw new Error(lastError);
  });
  await tally.test("a subclass of the package `ws` says whom to trust", async () => {
    const web = fresh(module);
    const options = { ca: secured.ca };
    web.useWebSocket(
      class extends require("ws") {
        constructor(url, protocols) {
          super(url, protocols, options);
        }
      },
    );
    const trusting = await web.House.open(secured.url, "trusting");
    await trusting.online();
    if ((await trusting.close()) !== "[]") throw new Error("it does not end by itself");
  });
  await tally.test("an instance asks nothing of its host while it is loaded, since edge isolates refuse that", () => {
    const refused = [
      [globalThis, ["setTimeout", "setInterval", "queueMicrotask", "fetch"]],
      [Math, ["random"]],
      [performance, ["now"]],
      [crypto, ["getRandomValues", "randomUUID"]],
    ];
    const restored = [];
    for (const [object, names] of refused) {
      for (const name of names) {
        const before = object[name];
        restored.push(() => (object[name] = before));
        object[name] = () => {
          throw new Error(`${name} is refused here`);
        };
      }
    }
    try {
      if (fresh(module).add(1, 2) !== 3) throw new Error("it does not work");
    } finally {
      for (const restore of restored) restore();
    }
  });
  await tally.test("a host without a WebSocket says what to do", async () => {
    delete globalThis.WebSocket; // newer ones have it
    delete require.cache[require.resolve(module)];
    const error = await require(module).House.open(broker.url, "none").catch((error) => error);
    if (!/npm package `ws`.*use_web_socket/s.test(String(error))) throw error;
  });
  await broker.end();
  await peers.end();
  tally.finish();
} else {
  for (const name of workerData.lacks) {
    delete globalThis[name];
    if (name in globalThis) throw new Error(`${name} cannot be taken away here`);
  }
  const say = (line) => parentPort.postMessage(line);
  await fresh(workerData.module).conformance(say, workerData.ports, true);
  say("end");
  // A worker ends by itself when nothing is left to wait for: a timer that was not cleared would keep it for days.
  parentPort.unref();
}
