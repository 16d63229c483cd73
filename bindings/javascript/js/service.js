// A service: an async function over records, started again by its policy when it fails.

import { AnabranchError } from "./errors.js";

const POLICIES = ["never", "on-failure", "always"];

/** One that runs until it ends, or is stopped. */
export class Service {
  #stopping = new AbortController();
  #ended;
  #restarts = 0;

  constructor(name, run, options, db) {
    const { restart = "on-failure", backoff = 100, limit = 5 } = options;
    if (!POLICIES.includes(restart)) {
      throw new AnabranchError("INVALID_ARGUMENT", `restart: there is no ${JSON.stringify(restart)}; there are ${POLICIES.join(", ")}`);
    }
    for (const [what, value] of [["backoff", backoff], ["limit", limit]]) {
      if (!Number.isFinite(value) || value < 0) throw new AnabranchError("INVALID_ARGUMENT", `${what}: a number of 0 or more is needed`);
    }
    this.name = name;
    this.#ended = this.#supervise(run, db, { restart, backoff, limit });
  }

  /** Resolves when it has ended for good; rejects with what its last run failed with. */
  get ended() {
    return this.#ended;
  }

  /** How often it was started again. */
  get restarts() {
    return this.#restarts;
  }

  /** Tells it to end, through `signal`, and resolves when it has. */
  async stop() {
    this.#stopping.abort();
    await this.#ended.catch(() => {});
  }

  async #supervise(run, db, { restart, backoff, limit }) {
    const { signal } = this.#stopping;
    // What it follows ends when it is told to end, so that whoever waits there goes on.
    const following = (subscription) => {
      const close = () => subscription.close();
      if (signal.aborted) close();
      else signal.addEventListener("abort", close, { once: true });
      return subscription;
    };
    const context = {
      db,
      signal,
      record(name) {
        const record = db.record(name);
        return { name, produce: (value) => record.produce(value), consume: (callback) => following(record.consume(callback)) };
      },
      subscribe: (...how) => following(db.subscribe(...how)),
      sleep: (milliseconds) => sleep(milliseconds, signal),
    };
    // Not within the call that declares it.
    await null;
    for (let pause = backoff; ; pause *= 2) {
      let failed = null;
      try {
        await run(context);
      } catch (error) {
        failed = { error };
      }
      const again = restart === "always" || (restart === "on-failure" && failed !== null);
      if (signal.aborted || !again || this.#restarts >= limit) {
        if (failed !== null && !signal.aborted) throw failed.error;
        return;
      }
      this.#restarts += 1;
      await sleep(pause, signal).catch(() => {});
    }
  }
}

/** Waits so many milliseconds; rejects at once when it is told to end. */
function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const stopped = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stopped);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stopped, { once: true });
  });
}
