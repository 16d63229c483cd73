// The rig keeps what it says: modules run in each place, and what goes wrong there is heard.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PLACES, startRig } from "./rig.mjs";
import { Tally } from "./tally.mjs";

const folder = await mkdtemp(join(tmpdir(), "rig-"));
await writeFile(
  join(folder, "echo.mjs"),
  `export default async ({ fail, value }, log) => {
     log(self.constructor.name);
     if (fail) throw new Error(fail);
     return { value, isolated: self.crossOriginIsolated, secure: self.isSecureContext };
   }`,
);
const tally = new Tally();
const rig = await startRig({ roots: { "/": folder }, isolated: true });
try {
  const scopes = { window: "Window", worker: "DedicatedWorkerGlobalScope", "shared worker": "SharedWorkerGlobalScope" };
  for (const place of PLACES) {
    await tally.test(`a module runs in a ${place}, and gives what it returns`, async () => {
      const lines = [];
      const given = await rig.run(place, "/echo.mjs", { value: [1, "two"] }, { log: (line) => lines.push(line) });
      // Chromium isolates no shared worker.
      assert.deepEqual(given, { value: [1, "two"], isolated: place !== "shared worker", secure: true });
      assert.deepEqual(lines, [scopes[place]]);
      rig.expectNoErrors();
    });
    await tally.test(`a module that throws in a ${place} fails the run`, async () => {
      await assert.rejects(rig.run(place, "/echo.mjs", { fail: "on purpose" }), /on purpose/);
    });
  }
  await tally.test("what a page does not get and does not catch is heard", async () => {
    const page = await rig.page();
    const uncaught = page.waitForEvent("pageerror");
    await page.evaluate(() => {
      fetch("/no-such-file");
      setTimeout(() => {
        throw new Error("nobody catches this");
      });
    });
    await uncaught;
    assert.throws(() => rig.expectNoErrors(), /nobody catches this/);
    rig.expectNoErrors();
  });
  await tally.test("a file outside the served folders is not served", async () => {
    for (const path of ["/..%2f..%2fetc%2fpasswd", "/rig/..%2frig.mjs", "/no-such-file"]) {
      assert.notEqual((await fetch(rig.origin + path)).status, 200, path);
    }
  });
  await tally.test("a page whose process is killed is gone, and others stay", async () => {
    const context = await rig.context();
    const [killed, other] = [await rig.page(undefined, context), await rig.page(undefined, context)];
    await rig.crash(killed);
    assert.equal(await other.evaluate(() => 1 + 1), 2);
    await context.close();
  });
} finally {
  await rig.end();
}
await tally.test("a browser that is started again with its profile knows its data", async () => {
  let port;
  for (const expected of [null, "kept"]) {
    const lasting = await startRig({ roots: { "/": folder }, profile: join(folder, "profile"), port });
    try {
      ({ port } = lasting);
      const page = await lasting.page();
      assert.equal(await page.evaluate(() => localStorage.getItem("key")), expected);
      await page.evaluate(() => localStorage.setItem("key", "kept"));
    } finally {
      await lasting.end();
    }
  }
});
await rm(folder, { recursive: true });
tally.finish();
