// Records, services and links: the same database of records that a node builds.
import assert from "node:assert/strict";
import test from "node:test";
import { startMosquitto } from "../../../../tests/browser/mosquitto.mjs";
import { Anabranch, first, opened, refused } from "./rig.mjs";

test("each value that is produced comes to each consumer, in order", async (test) => {
  const db = await opened(test, { records: { temperature: {} } });
  const record = db.record("temperature");
  const [one, other] = [record.consume(), record.consume()];
  await Promise.all([one.ready, other.ready]);
  for (let celsius = 0; celsius < 20; celsius++) assert.equal(await record.produce({ celsius }), celsius);
  const expected = Array.from({ length: 20 }, (_, celsius) => ({ celsius }));
  assert.deepEqual(await first(20, one), expected);
  assert.deepEqual(await first(20, other), expected);
  assert.deepEqual(await db.records(), [{ name: "temperature", buffer: "spmc-ring", values: 20 }]);
});

test("a single latest begins with its current value", async (test) => {
  const db = await opened(test, { records: { limit: { buffer: "single-latest" } } });
  await db.record("limit").produce(1);
  await db.record("limit").produce(2);
  assert.deepEqual(await first(1, db.record("limit").consume()), [2]);
});

test("a service makes alerts of readings, which are kept and cite them", async (test) => {
  const db = await opened(test, {
    records: {
      temperature: { keep: { namespace: "temperature", key: "{device}" } },
      alert: { keep: { namespace: "alerts", key: "{device}" } },
    },
  });
  const alerts = db.record("alert").consume();
  await alerts.ready;
  let begun;
  const ready = new Promise((resolve) => (begun = resolve));
  const service = db.service("alarm", async ({ record }) => {
    const readings = record("temperature").consume();
    await readings.ready;
    begun();
    for await (const { device, celsius } of readings) if (celsius > 25) await record("alert").produce({ device, celsius });
  });
  await ready;
  const kept = db.subscribe("alerts");
  await kept.ready;
  for (const celsius of [24, 26, 25, 27]) await db.record("temperature").produce({ device: "boiler", celsius });
  assert.deepEqual(await first(2, alerts), [{ device: "boiler", celsius: 26 }, { device: "boiler", celsius: 27 }]);
  assert.deepEqual((await first(2, kept)).map(({ key, value }) => [key, value.celsius]), [["boiler", 26], ["boiler", 27]]);
  assert.equal((await db.history("temperature", "boiler")).length, 4);
  await service.stop();
  assert.equal(service.restarts, 0);
});

test("a service that fails is started again as often as it may, and then says why", async (test) => {
  const db = await opened(test);
  let runs = 0;
  const service = db.service("failing", async () => { runs += 1; throw new Error(`run ${runs}`); }, { backoff: 1, limit: 3 });
  await assert.rejects(service.ended, /run 4/);
  assert.deepEqual([runs, service.restarts], [4, 3]);
});

test("closing the database ends a service that waits", async () => {
  const db = await Anabranch.open({ records: { never: {} } });
  const service = db.service("waiting", async ({ record }) => {
    for await (const _ of record("never").consume());
  });
  await db.close();
  await service.ended;
});

test("what does not fit together is said at once, each fault with its mend", async () => {
  const error = await refused("INVALID_CONFIGURATION", Anabranch.open({ records: { a: { from: "mqtt://x/y" }, b: { capacity: 0 } } }));
  assert.match(error.message, /2 reasons/);
  await refused("INVALID_ARGUMENT", Anabranch.open({ records: { a: { fron: "mqtt://x" } } }));
  await refused("INVALID_ARGUMENT", Anabranch.open({ records: { a: { buffer: "ring" } } }));
  await refused("INVALID_ARGUMENT", Anabranch.open({ connectors: [{}] }));
});

test("what is asked of records that are not so is refused", async (test) => {
  const db = await opened(test, { records: { queue: { buffer: "queue", capacity: 1 } } });
  await refused("RECORD_NOT_FOUND", db.record("nothing").produce(1));
  await refused("RECORD_NOT_FOUND", db.record("nothing").consume().ready);
  const one = db.record("queue").consume();
  await one.ready;
  await refused("RECORD_TAKEN", db.record("queue").consume().ready);
  await refused("INVALID_VALUE", db.record("queue").produce(undefined));
  assert.equal(await db.record("queue").produce(1), 0);
});

test("values cross a real broker over WebSocket, and are kept under the name that their address bound", async (test) => {
  const broker = await startMosquitto();
  test.after(() => broker.end());
  const connectors = [{ url: broker.url }];
  const into = await opened(test, {
    connectors,
    records: { seen: { from: { address: "mqtt://plant/{device}/temperature", qos: 1 }, keep: { namespace: "seen", key: "{device}" } } },
  });
  const from = await opened(test, { connectors, records: { temperature: { to: { address: "mqtt://plant/{device}/temperature", qos: 1, retain: true } } } });
  const [seen, kept] = [into.record("seen").consume(), into.subscribe("seen")];
  await Promise.all([seen.ready, kept.ready]);
  await from.record("temperature").produce({ device: "boiler", celsius: 21.5 });
  assert.deepEqual(await first(1, seen), [{ device: "boiler", celsius: 21.5 }]);
  const [{ key, value }] = await first(1, kept);
  assert.deepEqual([key, value], ["boiler", { device: "boiler", celsius: 21.5 }]);
});
