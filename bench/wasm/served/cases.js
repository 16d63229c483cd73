// What is measured in a page: each function runs there, and gives milliseconds or a rate.

import { contestants } from "./contestants.js";

/** Those that are open, by name. */
const open = new Map();

const key = (at) => `sensor-${at % 100}`;
const value = (at) => ({ celsius: 20 + (at % 100) / 10, people: at % 3 });
const now = () => performance.now();

/** From nothing loaded to an answer of an open database. */
export async function opening(name, database) {
  const begin = now();
  const contestant = await contestants[name](database);
  await contestant.touch();
  const took = now() - begin;
  await contestant.close();
  return took;
}

/** From nothing loaded to a value of a database that holds many. */
export async function openingFull(name, database) {
  const begin = now();
  const contestant = await contestants[name](database);
  const got = await contestant.get(key(7));
  const took = now() - begin;
  if (typeof got.celsius !== "number") throw new Error(`${name} has lost what it held`);
  await contestant.close();
  return took;
}

/** From nothing loaded to an open database in this window's memory. */
export async function openingMemory() {
  const begin = now();
  const { Anabranch } = await import("/package/index.js");
  const db = await Anabranch.open();
  const took = now() - begin;
  await db.close();
  return took;
}

export async function begin(name, database) {
  open.set(name, await contestants[name](database));
}

export async function end(name) {
  await open.get(name).close();
  open.delete(name);
}

/** Versions of a hundred keys, in batches of one each. */
export async function fill(name, versions) {
  const contestant = open.get(name);
  for (let at = 0; at < versions; at += 100) await contestant.batch(Array.from({ length: 100 }, (_, key) => at + key).map((at) => [key(at), value(at)]));
}

/** Puts one after the other, each awaited: how many a second. */
export async function puts(name, count) {
  const contestant = open.get(name);
  const begin = now();
  for (let at = 0; at < count; at++) await contestant.put(key(at), value(at));
  return (count / (now() - begin)) * 1000;
}

/** Batches of a hundred, each awaited: how many puts a second. */
export async function batches(name, count) {
  const contestant = open.get(name);
  const begin = now();
  for (let at = 0; at < count; at++) await contestant.batch(Array.from({ length: 100 }, (_, place) => [key(place), value(at + place)]));
  return ((count * 100) / (now() - begin)) * 1000;
}

export async function gets(name, count) {
  const contestant = open.get(name);
  const begin = now();
  for (let at = 0; at < count; at++) await contestant.get(key(at));
  return (count / (now() - begin)) * 1000;
}

/** Puts where the peer's worker makes them itself, with no page that waits for each. */
export async function putsInside(name, count) {
  return (count / (await open.get(name).inside(count))) * 1000;
}

/** Puts, then gets, in memory, through the JavaScript API: how many a second of each. */
export async function inMemory(Anabranch, count) {
  const db = await Anabranch.open();
  let begin = now();
  for (let at = 0; at < count; at++) await db.put("rooms", `sensor-${at % 1000}`, value(at));
  const puts = (count / (now() - begin)) * 1000;
  begin = now();
  for (let at = 0; at < count; at++) await db.get("rooms", `sensor-${at % 1000}`);
  const gets = (count / (now() - begin)) * 1000;
  await db.close();
  return { puts, gets };
}

export async function inMemoryHere(count) {
  return inMemory((await import("/package/index.js")).Anabranch, count);
}

/** From a put to the callback of a subscription in this tab: the median, in milliseconds. */
export async function toOwnCallback(options, count) {
  const { Anabranch } = await import("/package/index.js");
  const db = await Anabranch.open(options);
  let came;
  const following = db.subscribe("rooms", {}, () => came(now()));
  await following.ready;
  const took = [];
  for (let at = 0; at < count; at++) {
    const arrival = new Promise((resolve) => (came = resolve));
    const begin = now();
    const written = db.put("rooms", key(at), value(at));
    took.push((await arrival) - begin);
    await written;
  }
  await db.close();
  return took.sort((a, b) => a - b)[count >> 1];
}

/** Follows in this tab, and says on a channel what has come. */
export async function echo(database) {
  const { Anabranch } = await import("/package/index.js");
  const channel = new BroadcastChannel("bench-echo");
  globalThis.followed = await Anabranch.open({ storage: "opfs", name: database });
  await globalThis.followed.subscribe("rooms", {}, ({ value }) => channel.postMessage(value.number)).ready;
}

/** From a put in this tab to the callback in the other, and the word of it that comes back: the median, in milliseconds. */
export async function toOtherTab(database, count) {
  const { Anabranch } = await import("/package/index.js");
  const db = await Anabranch.open({ storage: "opfs", name: database });
  const channel = new BroadcastChannel("bench-echo");
  const took = [];
  for (let number = 0; number < count; number++) {
    const echoed = new Promise((resolve) => {
      channel.onmessage = ({ data }) => data === number && resolve(now());
    });
    const begin = now();
    const written = db.put("rooms", key(number), { number });
    took.push((await echoed) - begin);
    await written;
  }
  channel.close();
  await db.close();
  return took.sort((a, b) => a - b)[count >> 1];
}
