// A tab's worker: it leads, and holds the storage and the engine, or it follows the one that does.
//
//   page ──calls──▶ worker that leads ──▶ engine ──▶ storage          one lock (Web Locks) says who leads
//   page ──calls──▶ worker that follows ──BroadcastChannel──▶ worker that leads
//
// A worker that follows waits for the lock: when the tab that leads is gone, the browser gives it to the next.

import { AnabranchError } from "./errors.js";
import { Instance } from "./local.js";
import { Writer } from "./values.js";

/** Serves the page that has started this worker: in the first of the storages that it asks for and that are here. */
export async function serve(scope, { give, load, engines }) {
  const me = crypto.randomUUID();
  let options;
  let channel;
  let leader = null;
  let led = null; // { engine, storage, instance } while this one leads
  let release = () => {};
  const clients = new Map(); // of the one that leads: a number for each client

  /** How often the page was told that another engine answers. */
  let restarts = 0;

  function tellPage(message) {
    if (message.restart) restarts += 1;
    scope.postMessage(message);
  }

  const send = (to, message) => (to === me ? tellPage(message) : channel.postMessage({ to, from: me, message }));

  scope.onmessage = async ({ data }) => {
    if (data.open !== undefined) {
      options = data.open;
      // Without locks tabs cannot agree on one that leads, and so each is alone, with what is nobody else's.
      if (navigator.locks === undefined || typeof BroadcastChannel === "undefined") {
        options.storages = ["memory"];
        await lead().catch(failed);
      } else {
        // While tabs agree, and the engine is on its way.
        engines[options.storages[0]]?.prepare?.(options);
        await start().catch(failed);
      }
      return;
    }
    if (data.module !== undefined) give(data.module);
    // What the page sent before it was told is asked again by itself: done now, it would be done twice.
    if (data.calls?.length > 0 && data.restarts === restarts) {
      if (led) await answer(me, data.calls);
      else if (leader !== null) channel.postMessage({ to: leader, from: me, message: { calls: data.calls } });
      // Nobody leads yet: the page asks again when somebody does.
    }
    if (data.close) await close();
  };

  // A module that does not arrive.
  scope.onmessageerror = () => give(null);

  async function start() {
    channel = new BroadcastChannel(`anabranch/1/${options.name}`);
    channel.onmessage = ({ data }) => heard(data);
    // It is there as long as this worker is: the one that leads waits for it to go.
    const alive = new Promise((granted) => {
      void navigator.locks.request(`anabranch/client/${me}`, () => {
        granted();
        return new Promise(() => {});
      });
    });
    await alive;
    navigator.locks
      .request(`anabranch/${options.name}`, async () => {
        await lead();
        return new Promise((resolve) => (release = resolve));
      })
      .catch(failed);
    channel.postMessage({ from: me, hello: true });
  }

  function failed(error) {
    scope.postMessage({ failed: error instanceof Uint8Array ? error : said(error) });
  }

  async function lead() {
    const opened = await open();
    led = opened;
    const first = leader === null;
    leader = me;
    channel?.postMessage({ from: me, leads: opened.storage });
    tellPage(first ? { opened: opened.storage } : { restart: true });
  }

  async function open() {
    for (const storage of options.storages) {
      const kind = engines[storage];
      if (kind === undefined || !(await kind.isHere())) continue;
      // While the engine is on its way.
      const begun = kind.begin?.(options);
      const instance = new Instance(
        await load(options.needs).catch((error) => {
          void kind.leave?.(begun);
          throw new AnabranchError("ENGINE_NOT_LOADED", `the engine's WebAssembly could not be loaded: ${error?.message ?? error}`);
        }),
      );
      instance.watch((error) => {
        for (const known of clients.keys()) send(known, { panicked: error.message });
      });
      // What is there and does not open is no reason to keep data elsewhere.
      const engine = await instance.guard(() => kind.open(instance.exports, options, emitted, begun));
      if (options.settings !== null) {
        const answer = await instance.guard(() => engine.configure(options.settings));
        if (!isDone(answer)) {
          instance.guard(() => engine.free());
          throw answer;
        }
      }
      return { engine, storage, instance };
    }
    throw new AnabranchError("STORAGE_NOT_HERE", `none of ${options.storages.join(", ")} is to be had here`);
  }

  function heard({ to, from, message, hello, leads }) {
    if (to !== undefined && to !== me) return;
    if (hello && led) channel.postMessage({ to: from, from: me, leads: led.storage });
    if (leads !== undefined && from !== leader && !led) {
      const first = leader === null;
      leader = from;
      // The page has asked for nothing before it is told; from then on each call goes once, or it would follow twice.
      tellPage(first ? { opened: leads } : { restart: true });
    }
    if (message?.calls !== undefined && led) void answer(from, message.calls);
    else if (message !== undefined && from === leader) tellPage(message);
  }

  function number(client) {
    let known = clients.get(client);
    if (known === undefined) {
      known = clients.size === 0 ? 1 : Math.max(...clients.values()) + 1;
      clients.set(client, known);
      if (client !== me) {
        // It is granted when that client is gone.
        void navigator.locks.request(`anabranch/client/${client}`, () => {
          clients.delete(client);
          led?.instance.guard(() => led.engine.forget(known));
        });
      }
    }
    return known;
  }

  let events = new Map();
  let scheduled = false;

  /** How many answers wait until what was written is kept: nobody is told of it before. */
  let holding = 0;

  function emitted(kind, client, id, bytes) {
    if (!events.has(client)) events.set(client, []);
    events.get(client).push([kind, id, bytes]);
    if (scheduled || holding > 0) return;
    scheduled = true;
    queueMicrotask(tell);
  }

  function tell() {
    scheduled = false;
    if (holding > 0) return;
    const told = events;
    events = new Map();
    for (const [client, its] of clients) {
      if (told.has(its)) send(client, { events: told.get(its) });
    }
  }

  /** How many batches of calls are being answered, and whether another engine has been loaded meanwhile. */
  let answering = 0;
  let reloaded = false;

  async function answer(client, calls) {
    const { engine, instance, storage } = led;
    const mine = number(client);
    answering += 1;
    try {
      let answers = instance.guard(() => engine.calls(mine, calls.map(([, call]) => call)));
      if (storage === "indexeddb") answers = await kept(led, answers);
      send(client, { answers: calls.map(([id], at) => [id, answers[at]]) });
      if (holding === 0) tell();
    } catch {
      // It has panicked, which all are told.
    } finally {
      answering -= 1;
    }
    // Not before they are told what has failed: they would ask for that again.
    if (reloaded && answering === 0) {
      reloaded = false;
      for (const known of clients.keys()) send(known, { restart: true });
    }
  }

  /** The answers when what was written is kept. Where it is not, that is the answer to each, and the database is loaded again. */
  async function kept(by, answers) {
    holding += 1;
    try {
      const flushed = await by.instance.guard(() => by.engine.flushed());
      if (isDone(flushed)) return answers;
      if (led === by) {
        events = new Map();
        by.instance.guard(() => by.engine.free());
        led = null;
        led = await open();
        reloaded = true;
      }
      return answers.map(() => flushed);
    } finally {
      holding -= 1;
    }
  }

  async function close() {
    if (led) {
      const { engine, instance, storage } = led;
      led = null;
      if (!instance.isPoisoned) {
        await instance.guard(() => engine.end());
        // What came last of records that are kept.
        if (storage === "indexeddb") await instance.guard(() => engine.flushed());
        instance.guard(() => engine.free());
      }
    }
    release();
    channel?.close();
    scope.postMessage({ closed: true });
  }
}

/** Whether an answer is of a call that was done: its first item is null. */
function isDone(answer) {
  return answer[0] === 0xf6;
}

/** An answer that says that the host has failed. */
function said(error) {
  const isOurs = error instanceof AnabranchError;
  const answer = new Writer().text(isOurs ? error.code : "STORAGE_FAILED");
  return answer.text(isOurs ? error.message : `the storage could not be opened: ${error?.message ?? error}`).map(0).take();
}
