// The engine in a worker, of this tab or of another: calls go there in batches, answers and events come back.
//
// When the tab that holds the storage is gone, another takes over. What was asked and not answered is then asked again, with the
// time at which it was asked first, and the versions of which this tab was told since: so that a write that was made already is found,
// for one call that asked for it, and not made twice; and whoever follows goes on after what it has seen.

import { read } from "./database.js";
import { AnabranchError } from "./errors.js";
import { Writer } from "./values.js";

/** A port to an engine behind a worker. */
export class RemotePort {
  #worker;
  #last = 0;
  /** The calls without an answer. */
  #pending = new Map();
  #batch = [];
  /** The answers to writes, and when they came: as long as something is asked that was asked before. */
  #told = [];
  #followers = new Map();
  #over = null;
  /** How often another engine has taken over. */
  restarts = 0;
  /** Called when every call has its answer. */
  #answered = () => {};

  /** Resolves when a database is open behind `worker`, which gets its engine from here: a promise of the compiled module. */
  static open(worker, options, module) {
    const port = new RemotePort();
    port.#worker = worker;
    port.name = options.name;
    return new Promise((resolve, reject) => {
      const failed = (error) => {
        port.#end(error);
        reject(error);
      };
      worker.onerror = (event) => {
        event.preventDefault?.();
        // One that cannot be loaded has no message.
        failed(
          event.message
            ? new AnabranchError("PANICKED", `the engine's worker has failed (${event.message}); open the database again`)
            : new AnabranchError("ENGINE_NOT_LOADED", "the engine's worker could not be loaded: serve worker.js beside the package's other files"),
        );
      };
      worker.onmessage = ({ data }) => {
        if (data.opened !== undefined) {
          port.storage = data.opened;
          resolve(port);
        } else if (data.failed !== undefined) {
          try {
            read(data.failed);
          } catch (error) {
            failed(error);
          }
        } else {
          port.#came(data);
        }
      };
      worker.postMessage({ open: options });
      // Without it the worker finds out by itself what is wrong.
      void module.then((module) => worker.postMessage({ module })).catch(() => worker.postMessage({ module: null }));
    });
  }

  /** A promise of what `read` makes of the answer. */
  call(lent, read) {
    if (this.#over) throw this.#over;
    const call = lent.slice();
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#pending.set(id, { call, resolve, reject, since: Date.now() });
      this.#send(id, call);
    }).then(read);
  }

  following(id, came) {
    this.#followers.set(id, came);
  }

  unfollowing(id) {
    this.#followers.delete(id);
  }

  /** All that is asked in one go travels as one message, so that its writes share a sync. */
  #send(id, call) {
    this.#batch.push([id, call]);
    if (this.#batch.length === 1) {
      queueMicrotask(() => {
        if (!this.#over) this.#worker.postMessage({ calls: this.#batch.splice(0), restarts: this.restarts });
      });
    }
  }

  #came({ answers = [], events = [], restart, panicked }) {
    if (panicked !== undefined) {
      this.#end(new AnabranchError("PANICKED", panicked));
      return;
    }
    for (const [id, answer] of answers) {
      const asked = this.#pending.get(id);
      if (asked === undefined) continue;
      this.#pending.delete(id);
      if (isWrite(asked.call)) this.#told.push({ at: Date.now(), answer });
      asked.resolve(answer);
    }
    if (answers.length > 0) this.#forget();
    if (this.#pending.size === 0) this.#answered();
    for (const [kind, id, bytes] of events) this.#followers.get(id)?.(kind, bytes);
    if (restart) this.#restart();
  }

  /** Whatever is asked again, or may be, was asked after these were told. */
  #forget() {
    const { since } = this.#pending.values().next().value ?? { since: Date.now() };
    let old = 0;
    while (old < this.#told.length && this.#told[old].at < since) old += 1;
    if (old > 0) this.#told.splice(0, old);
  }

  #restart() {
    this.restarts += 1;
    this.#batch.length = 0;
    const pending = [...this.#pending];
    // What is asked meanwhile comes after it.
    if (pending.length > 0) this.#send(++this.#last, told(this.#told));
    for (const [id, { call, since }] of pending) this.#send(id, again(call, since));
    for (const came of [...this.#followers.values()]) came(3);
  }

  #end(error) {
    if (this.#over) return;
    this.#over = error;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    for (const came of [...this.#followers.values()]) came(4, error);
    this.#followers.clear();
    this.#answered();
  }

  /** What was asked before is answered, by whoever leads then; and then it is closed. */
  async close() {
    if (this.#pending.size > 0) await new Promise((answered) => (this.#answered = answered));
    if (this.#over) return;
    const closed = new Promise((resolve) => {
      this.#worker.onmessage = ({ data }) => {
        if (data.closed) resolve();
        else this.#came(data);
      };
    });
    this.#worker.postMessage({ calls: this.#batch.splice(0), restarts: this.restarts, close: true });
    await closed;
    this.#end(new AnabranchError("CLOSED", "the database is closed; open it again"));
  }
}

const WRITES = ["put", "delete", "writeBatch"].map((name) => new Writer().text(name).take());

/** Whether a call writes, by its name. */
const isWrite = (call) => WRITES.some((name) => name[0] === call[0] && name[1] === call[1]);

/** The call that says which versions were told. */
function told(answers) {
  const ids = [];
  for (const { answer } of answers) {
    try {
      for (const { versionId } of [read(answer)].flat()) ids.push(versionId);
    } catch {
      // What was refused has made none.
    }
  }
  const call = new Writer().text("told").list(ids.length);
  for (const id of ids) call.text(id);
  return call.take();
}

/** A call that may have been done already, if it was since then. */
function again(call, since) {
  const repeated = new Writer();
  repeated.text("again").text(new Date(since).toISOString()).bytes(call);
  return repeated.take();
}
