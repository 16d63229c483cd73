// Who is measured, as a page uses each: a database that keeps every version of a key, on the browser's disk.
//
// What needs a worker for its files gets one, and nothing between it and the page but one message each way, with what is written made
// into text on the page. Each write is durable when its promise resolves.

import { behind } from "./behind.js";

const NAMESPACE = "rooms";

export const contestants = {
  async anabranch(name) {
    const { Anabranch } = await import("/package/index.js");
    const db = await Anabranch.open({ storage: "opfs", name });
    if (db.storage !== "opfs") throw new Error(`it is kept in ${db.storage}`);
    return {
      put: (key, value) => db.put(NAMESPACE, key, value),
      batch: (writes) => db.writeBatch(writes.map(([key, value]) => ({ namespace: NAMESPACE, key, value }))),
      get: async (key) => (await db.get(NAMESPACE, key)).value,
      touch: () => db.listNamespaces({ limit: 1 }),
      close: () => db.close(),
    };
  },
  sqlite: (name) => behind("/bench/sqlite.js", { name, journal: "delete" }),
  /** As much as SQLite can do with one connection. */
  sqliteWal: (name) => behind("/bench/sqlite.js", { name, journal: "wal" }),
  pglite: (name) => behind("/bench/pglite.js", { name }),
  dexie: (name) => withDexie(name, "strict"),
  /** As Dexie is unless told otherwise: a write resolves before it is on the disk. */
  dexieRelaxed: (name) => withDexie(name, "relaxed"),
  /** No database, but what one in such files needs of the browser. */
  bare: (name) => behind("/bench/bare.js", { name }),
};

async function withDexie(name, chromeTransactionDurability) {
  const { Dexie } = await import("/peers/dexie/dist/dexie.mjs");
  const db = new Dexie(`${name}-${chromeTransactionDurability}`, { chromeTransactionDurability });
  db.version(1).stores({ versions: "[namespace+key+time], time" });
  await db.open();
  let last = Date.now() * 1000;
  const row = (key, value) => ({ namespace: NAMESPACE, key, time: ++last, value });
  return {
    put: (key, value) => db.versions.add(row(key, value)),
    batch: (writes) => db.versions.bulkAdd(writes.map(([key, value]) => row(key, value))),
    get: async (key) => (await db.versions.where("[namespace+key+time]").between([NAMESPACE, key, Dexie.minKey], [NAMESPACE, key, Dexie.maxKey]).last()).value,
    touch: () => db.versions.limit(1).toArray(),
    close: () => db.close(),
  };
}
