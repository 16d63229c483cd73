// Records in Chromium that are linked to a real broker over WebSocket, which is killed and comes back: where the engine is in the
// window, in the worker that has private files, and behind the worker of another tab.
import assert from "node:assert/strict";
import { startMosquitto } from "../../../../tests/browser/mosquitto.mjs";
import { Tally } from "../../../../tests/browser/tally.mjs";
import { OPFS, open, started } from "./pages.mjs";

const tally = new Tally();
const rig = await started();
const broker = await startMosquitto();

const options = (clientId) => ({
  connectors: [{ url: broker.url, clientId }],
  records: {
    measured: { from: { address: "mqtt://plant/{device}/measured", qos: 1 }, keep: { namespace: "measured", key: "{device}" } },
    wanted: { to: { address: "mqtt://plant/{device}/wanted", qos: 1 } },
  },
});

/** Has the page note what comes into its record. */
const consume = (page) =>
  page.evaluate(async () => {
    globalThis.measured = [];
    globalThis.consumer = globalThis.db.record("measured").consume(({ celsius }) => globalThis.measured.push(celsius));
    await globalThis.consumer.ready;
  });

/** Waits until exactly these have come. */
async function came(page, expected) {
  await page.waitForFunction((count) => globalThis.measured.length >= count, expected.length, { polling: 10 });
  assert.deepEqual(await page.evaluate(() => globalThis.measured), expected);
}

const produce = (page, celsius) => page.evaluate((celsius) => globalThis.db.record("wanted").produce({ device: "boiler", celsius }), celsius);

/**
 * What comes from the broker reaches the pages, and what they produce reaches the broker: in its first life, and in the next two,
 * each of which begins with the last one killed.
 */
async function threeLives(clientId, begin, pagesOf) {
  let pages;
  let start = broker.log.length;
  for (let life = 1; life <= 3; life++) {
    if (life === 1) pages = await pagesOf(options(clientId));
    else {
      await broker.kill();
      start = broker.log.length;
      await broker.startAgain();
    }
    await broker.logs(`Sending SUBACK to ${clientId}`, start);
    const observer = await broker.observe("plant/+/wanted");
    await broker.publish("plant/boiler/measured", JSON.stringify({ celsius: life }), 1);
    for (const page of pages) {
      await came(page, Array.from({ length: life }, (_, at) => at + 1));
      const celsius = begin + life * 10 + pages.indexOf(page);
      await produce(page, celsius);
      await observer.seen(`plant/boiler/wanted {"device":"boiler","celsius":${celsius}}`);
    }
  }
  // What a link wrote is history like any other.
  const kept = await pages[0].evaluate(async () => (await globalThis.db.history("measured", "boiler")).map(({ value }) => value.celsius));
  assert.deepEqual(kept, [3, 2, 1]);
  for (const page of pages) await page.evaluate(() => globalThis.db.close());
  await pages[0].context().close();
}

/** The browser says on the console that it could not connect. */
function expectNoOtherErrors() {
  rig.errors = rig.errors.filter((error) => !/WebSocket connection to|ERR_CONNECTION_REFUSED/.test(error));
  rig.expectNoErrors();
}

async function opened(context, options, storage) {
  const page = await rig.page(undefined, context);
  assert.equal(await open(page, options), storage);
  await consume(page);
  return page;
}

try {
  await tally.test("links of an engine in the window's memory come back after their broker was killed", async () => {
    await threeLives("window", 100, async (options) => [await opened(await rig.context(), options, "memory")]);
    expectNoOtherErrors();
  });

  await tally.test("links of the engine in the worker with private files come back after their broker was killed, for each tab", async () => {
    await threeLives("worker", 200, async (options) => {
      const context = await rig.context();
      const first = await opened(context, { ...options, ...OPFS }, "opfs");
      return [first, await opened(context, { ...options, ...OPFS }, "opfs")];
    });
    expectNoOtherErrors();
  });

  await tally.test("when the tab that leads is closed, the links are the next one's", async () => {
    const context = await rig.context();
    const its = { ...options("next"), ...OPFS };
    const start = broker.log.length;
    const first = await opened(context, its, "opfs");
    await broker.logs("Sending SUBACK to next", start);
    const second = await opened(context, its, "opfs");
    const after = broker.log.length;
    await first.close();
    await broker.logs("Sending SUBACK to next", after);
    const observer = await broker.observe("plant/+/wanted");
    await produce(second, 300);
    await observer.seen('plant/boiler/wanted {"device":"boiler","celsius":300}');
    await broker.publish("plant/boiler/measured", '{"celsius":4}', 1);
    await second.waitForFunction(async () => (await globalThis.db.get("measured", "boiler").catch(() => undefined))?.value.celsius === 4, undefined, { polling: 50 });
    await context.close();
    expectNoOtherErrors();
  });
} finally {
  await rig.end();
  await broker.end();
}
tally.finish();
