// A peer behind a worker: a call is a message there, and its answer a message back. Both ends.

/** The page's end: starts the worker, and gives the calls once it has opened. */
export async function behind(script, settings) {
  const worker = new Worker(script, { type: "module" });
  const waiting = new Map();
  let last = 0;
  worker.onmessage = ({ data: [id, error, result] }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === null) resolve(result);
    else reject(new Error(error));
  };
  const ask = (call, ...words) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      worker.onerror = (event) => reject(new Error(`${script}: ${event.message ?? "it could not be loaded"}`));
      worker.postMessage([last, call, words]);
    });
  await ask("open", settings);
  return {
    put: (key, value) => ask("put", key, JSON.stringify(value)),
    batch: (writes) => ask("batch", writes.map(([key, value]) => [key, JSON.stringify(value)])),
    get: async (key) => JSON.parse(await ask("get", key)),
    touch: () => ask("touch"),
    /** So many puts one after the other, in the worker itself, and how many milliseconds they took. */
    inside: (count) => ask("inside", count),
    async close() {
      await ask("close");
      worker.terminate();
    },
  };
}

/** The worker's end: `open` gives what the calls do. */
export function serve(open) {
  let calls;
  self.onmessage = async ({ data: [id, call, words] }) => {
    try {
      if (call === "open") {
        calls = await open(...words);
        self.postMessage([id, null, null]);
      } else {
        self.postMessage([id, null, (await calls[call](...words)) ?? null]);
      }
    } catch (error) {
      self.postMessage([id, String(error?.stack ?? error), null]);
    }
  };
}
