// What the tests in Chromium are built on: pages that have loaded the package, and what they are told to do.
import assert from "node:assert/strict";
import { startRig } from "../../../../tests/browser/rig.mjs";
import { PACKAGE } from "../package.mjs";

/** A browser, and a server of the package at `/package/`. */
export const started = (options = {}) => startRig({ ...options, roots: { "/package/": PACKAGE, ...options.roots } });

/** Opens a database in a page, where it is `db`, and gives its storage. */
export const open = (page, options) =>
  page.evaluate(async (options) => {
    globalThis.anabranch = await import("/package/index.js");
    globalThis.db = await globalThis.anabranch.Anabranch.open(options);
    globalThis.seen = [];
    return globalThis.db.storage;
  }, options);

export const OPFS = { storage: "opfs", name: "tests" };

/** A page in a context with a database in private files. */
export async function opened(rig, context, options = OPFS) {
  const page = await rig.page(undefined, context);
  assert.equal(await open(page, options), options.storage);
  return page;
}

/** Writes values of `from` up to before `to`, one after the other, and gives the versions. */
export const put = (page, from, to, key = "k") =>
  page.evaluate(
    async ([from, to, key]) => {
      const versions = [];
      for (let value = from; value < to; value++) versions.push(await globalThis.db.put("n", key, value));
      return versions;
    },
    [from, to, key],
  );

/** All values that a key had, the oldest first. */
export const values = (page, key = "k") =>
  page.evaluate(async (key) => (await globalThis.db.history("n", key, { limit: 100_000 })).map(({ value }) => value).reverse(), key);

/** What a call in the page is refused with: its code. */
export const code = (page, asked) =>
  page.evaluate(async (source) => {
    try {
      await (0, eval)(`(${source})`)();
    } catch (error) {
      return error instanceof globalThis.anabranch.AnabranchError ? error.code : `${error?.name}: ${error?.message}`;
    }
    return "none";
  }, String(asked));

/** Follows the namespace in a page: what comes is added to `seen` there. */
export const follow = (page, options = {}) =>
  page.evaluate(async (options) => {
    globalThis.following = globalThis.db.subscribe("n", options, ({ value }) => globalThis.seen.push(value));
    await globalThis.following.ready;
  }, options);

/** Waits until a page has seen so many, and gives them. */
export async function seen(page, count) {
  await page.waitForFunction((count) => globalThis.seen.length >= count, count, { polling: 10 });
  return page.evaluate(() => globalThis.seen);
}

export const count = (from, to) => Array.from({ length: to - from }, (_, at) => from + at);
