// The example in headless Chromium: the same alerts as everywhere, and a chart that moves while they come.
//
//   node examples/web/sensors/test.mjs OUT_DIR/sensors_in_a_tab.js
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { startRig } from "../../../tests/browser/rig.mjs";
import { Tally } from "../../../tests/browser/tally.mjs";

const [given] = process.argv.slice(2);
if (given === undefined) {
  console.error("usage: node test.mjs OUT_DIR/sensors_in_a_tab.js");
  process.exit(2);
}
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const tally = new Tally();
const rig = await startRig({ roots: { "/sensors/": here("."), "/sensors/built/": dirname(resolve(given)) }, isolated: true });
try {
  await tally.test("the services run unchanged in a tab: its alerts are those of every runtime, and its chart moves", async () => {
    const page = await rig.page("/sensors/");
    const drawn = () => page.evaluate(() => document.querySelector("#chart").toDataURL());
    const readings = (count) => page.waitForFunction((count) => Number(document.querySelector("#chart").dataset.readings) >= count, count);
    await readings(200);
    const first = await drawn();
    await readings(600);
    assert.notEqual(await drawn(), first, "the chart stands still");
    await page.waitForFunction(() => document.querySelector("#latency").dataset.row !== undefined);
    assert.equal(await page.textContent("#alerts"), readFileSync(here("../../sensors-to-alerts/alerts.txt"), "utf8"));
    // Five leaps take 35 readings; there are 200, and what comes before the first and after the last.
    assert.equal(await page.evaluate(() => document.querySelector("#chart").dataset.readings), "1406");
    const [people, row] = await page.evaluate(() => {
      const { textContent, dataset } = document.querySelector("#latency");
      return [textContent, dataset.row];
    });
    assert.match(people, /^200 edges, /);
    console.log(`${people}\n${row}`);
    rig.expectNoErrors();
  });
} finally {
  await rig.end();
}
tally.finish();
