// What the tests in Node are built on: the package as Node loads it, folders that go with their test, and other processes.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { PACKAGE, door, part } from "../package.mjs";

export { PACKAGE, part };
export const { Anabranch, AnabranchError, Temporal } = await door("node.js");

/** A folder that is removed when the test is over. */
export function folder(test) {
  const made = mkdtempSync(join(tmpdir(), "anabranch-"));
  test.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** An open database, which is closed when the test is over; `of` another door's. */
export async function opened(test, options, of = Anabranch) {
  const db = await of.open(options);
  test.after(() => db.close());
  return db;
}

/** That something is refused with a code, in an error that says something. */
export async function refused(code, asked) {
  let error;
  try {
    await (typeof asked === "function" ? asked() : asked);
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error !== undefined, `${asked} is not refused; ${code} is expected`);
  assert.equal(error?.name, "AnabranchError", `it throws something else: ${error?.stack ?? error}`);
  assert.equal(error.code, code, error.message);
  assert.ok(error instanceof Error && error.message.length > 10, error.message);
  return error;
}

/** The first `count` items of a subscription. */
export async function first(count, subscription) {
  const items = [];
  if (count === 0) return items;
  for await (const item of subscription) {
    items.push(item);
    if (items.length === count) break;
  }
  return items;
}

const CHILD = fileURLToPath(new URL("./child.mjs", import.meta.url));

/** Another process that does `what` in a directory: it sends messages, and is killed with the test. */
export function child(test, what, directory) {
  const started = fork(CHILD, [pathToFileURL(join(PACKAGE, "node.js")).href, what, directory], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  test.after(() => started.kill("SIGKILL"));
  return {
    pid: started.pid,
    /** What it says next. */
    next: async () => {
      const gone = new AbortController();
      try {
        const [message] = await Promise.race([
          once(started, "message", { signal: gone.signal }),
          once(started, "exit", { signal: gone.signal }).then(([code, signal]) => Promise.reject(new Error(`it has ended: ${code ?? signal}`))),
        ]);
        return message;
      } finally {
        gone.abort();
      }
    },
    listen: (heard) => started.on("message", heard),
    send: (message) => started.send(message),
    signal: (signal) => started.kill(signal),
    async kill() {
      const gone = once(started, "exit");
      started.kill("SIGKILL");
      await gone;
    },
    ended: () => once(started, "exit"),
  };
}
