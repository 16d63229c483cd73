// Headless Chromium with pages of this machine: what every test in a browser is built on.
//
//   const rig = await startRig({ roots: { "/": "examples/web", "/package/": "target/npm/anabranch" } });
//   try {
//     const page = await rig.page("/quickstart.html");              // Playwright's Page, in a context of its own
//     await rig.run("worker", "/package/test.mjs", { rounds: 3 });  // that module's default export, in a dedicated worker
//   } finally {
//     await rig.end();
//   }
//
// What a page logs as an error, throws and does not catch, or asks for and does not get, is in `rig.errors`; a test that
// expects none calls `rig.expectNoErrors()`.
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "./server.mjs";

/** Debian's, unless told otherwise. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

const HERE = fileURLToPath(new URL("./served/", import.meta.url));

/** Where a module can be run. */
export const PLACES = ["window", "worker", "shared worker"];

/**
 * Starts a server and a browser.
 *
 * @param {object} options
 * @param {Record<string, string>} options.roots  which folders are served, by how their paths begin
 * @param {boolean} [options.isolated]  pages are isolated from other origins (COOP, COEP)
 * @param {Record<string, string>} [options.headers]  sent with everything
 * @param {string} [options.profile]  a folder for the browser's profile, so that it knows its data when it is started again;
 *   all pages are then in one context. Data belongs to an origin, so the next browser needs this one's `port`
 * @param {number} [options.port]  where the pages are served; a free one unless it is given
 * @param {string[]} [options.args]  for Chromium
 */
export async function startRig({ roots, isolated, headers, profile, port, args = [] }) {
  const server = await serve({ "/rig/": HERE, ...roots }, { isolated, headers, port });
  const launch = { executablePath: CHROMIUM, headless: true, args: ["--no-sandbox", "--disable-dev-shm-usage", ...args] };
  try {
    const started =
      profile === undefined ? await chromium.launch(launch) : await chromium.launchPersistentContext(profile, launch);
    return new Rig(server, started, profile !== undefined);
  } catch (error) {
    await server.close();
    throw error;
  }
}

class Rig {
  /** @type {string[]} */
  errors = [];
  #server;
  #started;
  #lasting;

  constructor(server, started, lasting) {
    this.#server = server;
    this.#started = started;
    this.#lasting = lasting;
  }

  /** Where the pages come from, without a `/` at its end. */
  get origin() {
    return this.#server.origin;
  }

  get port() {
    return Number(new URL(this.origin).port);
  }

  /** The paths that were asked for, in their order. */
  get requests() {
    return this.#server.requests;
  }

  /** A context of its own: its storage is nobody else's. With a profile there is only one. */
  async context(options) {
    return this.#lasting ? this.#started : await this.#started.newContext(options);
  }

  /** A page that has loaded `path`, in `context` or in a context of its own. */
  async page(path = "/rig/blank.html", context = undefined) {
    const page = await (context ?? (await this.context())).newPage();
    this.#listen(page);
    await page.goto(this.origin + path);
    return page;
  }

  #listen(page) {
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    page.on("pageerror", (error) => this.errors.push(String(error?.stack ?? error)));
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText;
      // A page that was closed or left in the midst of loading has not failed.
      if (why !== "net::ERR_ABORTED") this.errors.push(`${request.url()}: ${why}`);
    });
  }

  /** Throws when there was an error, and forgets it. */
  expectNoErrors() {
    const errors = this.errors.splice(0);
    if (errors.length > 0) throw new Error(`the pages had errors:\n${errors.join("\n")}`);
  }

  /**
   * Runs the default export of a module in a place, and gives what it returns: `export default async (input, log) => …`.
   *
   * @param {"window" | "worker" | "shared worker"} place
   * @param {string} module  its path on the server
   * @param {unknown} [input]  anything that JSON holds
   * @param {{ page?: import("playwright-core").Page, log?: (line: string) => void }} [options]  in this page, or in one of
   *   its own, which is closed then; `log` is called with each line that the module logs
   */
  async run(place, module, input = null, { page, log = () => {} } = {}) {
    const mine = page ?? (await this.page());
    try {
      await mine.exposeFunction("rigLog", log).catch((error) => {
        if (!String(error).includes("already registered")) throw error;
      });
      return await mine.evaluate(
        async ({ place, module, input }) => {
          const { runIn } = await import("/rig/places.js");
          return runIn(place, module, input, (line) => globalThis.rigLog(line));
        },
        { place, module, input },
      );
    } finally {
      if (page === undefined) await mine.context().close();
    }
  }

  /** Kills the process of a page, as the system does when memory is short. */
  async crash(page) {
    const session = await page.context().newCDPSession(page);
    const crashed = page.waitForEvent("crash");
    session.send("Page.crash").catch(() => {}); // it cannot answer
    await crashed;
  }

  /** Ends the browser and the server. */
  async end() {
    await this.#started.close();
    await this.#server.close();
  }
}
