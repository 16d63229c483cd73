// Runs what this crate was glued to in each kind of place that Chromium offers.
//
//   node tests/web/browser.mjs OUT_DIR/anabranch_web_tests.js
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { startMosquitto } from "../browser/mosquitto.mjs";
import { startPeers } from "../browser/peers.mjs";
import { PLACES, startRig } from "../browser/rig.mjs";
import { Tally } from "../browser/tally.mjs";
import { overMosquitto } from "./links.mjs";

const [given] = process.argv.slice(2);
if (given === undefined) {
  console.error("usage: node browser.mjs OUT_DIR/anabranch_web_tests.js");
  process.exit(2);
}
process.exitCode = 1;
const tally = new Tally();
const peers = await startPeers();
const broker = await startMosquitto();
const here = fileURLToPath(new URL(".", import.meta.url));
const roots = { "/tests/": here, "/glued/": dirname(resolve(given)) };
const rig = await startRig({ roots });
const web = `/glued/${basename(given)}`;
try {
  for (const place of PLACES) {
    console.log(`\nin a ${place}:`);
    await tally.test(`all suites end in a ${place}, and no error is uncaught`, async () => {
      const log = (line) => tally.line(line);
      await rig.run(place, "/tests/suites.mjs", { web, ports: peers.ports }, { log });
      // A panic is reported on the console, and the browser reports connections that could not be had.
      const expected = /^anabranch: the engine has stopped|WebSocket connection to|ERR_CONNECTION_REFUSED/;
      rig.errors = rig.errors.filter((error) => !expected.test(error));
      rig.expectNoErrors();
    }, 180_000);
    await tally.test(`links in a ${place} come back after their broker was killed`, async () => {
      const run = (input, log) => rig.run(place, "/tests/links.mjs", { web, ...input }, { log });
      await overMosquitto(broker, run, place);
    });
  }
  const secured = await broker.secured();
  await tally.test("a browser that trusts no certificate of the broker's says nothing, and the connector what to look at", async () => {
    const lastError = await rig.run("window", "/tests/refused.mjs", { web, url: secured.url });
    if (!/a browser does not say why.*certificate that is trusted/.test(lastError)) throw new Error(lastError);
  });
  await tally.test("a browser that trusts it connects over TLS", async () => {
    const trusting = await startRig({ roots, args: ["--ignore-certificate-errors"] });
    try {
      const ended = await trusting.run("worker", "/tests/secured.mjs", { web, url: secured.url });
      if (ended !== "[]") throw new Error(ended);
      trusting.expectNoErrors();
    } finally {
      await trusting.end();
    }
  });
  console.log("\nin a service worker:");
  await tally.test("all suites end in a service worker", async () => {
    const page = await rig.page();
    await page.exposeFunction("line", (line) => tally.line(line));
    await page.evaluate(async (ports) => {
      const { active, installing, waiting } = await navigator.serviceWorker.register("/tests/service.js", { type: "module" });
      const { port1, port2 } = new MessageChannel();
      (active ?? waiting ?? installing).postMessage({ ports, port: port2 }, [port2]);
      await new Promise((done, failed) => {
        port1.onmessage = ({ data }) => {
          if ("line" in data) globalThis.line(data.line);
          else if ("error" in data) failed(new Error(data.error));
          else done();
        };
      });
    }, peers.ports);
    await page.context().close();
  }, 180_000);
} finally {
  await rig.end();
  await broker.end();
  await peers.end();
}
tally.finish();
