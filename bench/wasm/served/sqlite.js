// SQLite with a table of versions, in private files by its VFS `opfs-sahpool`; the table is that of the store's benchmark. It does
// what a versioned store on SQLite has to do and no more: a write looks up the version before it.

import sqlite3InitModule from "/peers/@sqlite.org/sqlite-wasm/dist/index.mjs";
import { serve } from "./behind.js";

const NAMESPACE = "rooms";
const TABLES = `
  CREATE TABLE IF NOT EXISTS versions (
    namespace TEXT NOT NULL, key TEXT NOT NULL, time INTEGER NOT NULL, previous INTEGER, value TEXT,
    PRIMARY KEY (namespace, key, time)
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX IF NOT EXISTS by_time ON versions (time);
`;

serve(async ({ name, journal }) => {
  const sqlite3 = await sqlite3InitModule();
  const pool = await sqlite3.installOpfsSAHPoolVfs({ name: `sahpool-${name}`, directory: `/sqlite-${name}` });
  const db = new pool.OpfsSAHPoolDb("/versions.db");
  // A log needs no memory that is shared where nobody else may open the file.
  if (journal === "wal") db.exec("PRAGMA locking_mode = EXCLUSIVE");
  const has = db.selectValue(`PRAGMA journal_mode = ${journal}`);
  if (has !== journal) throw new Error(`its journal is ${has}`);
  if (db.selectValue("PRAGMA synchronous") !== 2) throw new Error("its writes are not durable");
  let statements;
  let time = Date.now() * 1000;
  /** Tables and statements, when they are first needed: an empty database is opened without. */
  const prepared = () => {
    if (statements === undefined) {
      db.exec(TABLES);
      statements = {
        last: db.prepare("SELECT time FROM versions WHERE namespace = ?1 AND key = ?2 ORDER BY time DESC LIMIT 1"),
        put: db.prepare("INSERT INTO versions (namespace, key, time, previous, value) VALUES (?1, ?2, ?3, ?4, ?5)"),
        get: db.prepare("SELECT value FROM versions WHERE namespace = ?1 AND key = ?2 ORDER BY time DESC LIMIT 1"),
        begin: db.prepare("BEGIN IMMEDIATE"),
        commit: db.prepare("COMMIT"),
      };
    }
    return statements;
  };
  const first = (statement, values) => {
    try {
      return statement.bind(values).step() ? statement.get(0) : null;
    } finally {
      statement.reset();
    }
  };
  const done = (statement) => statement.stepReset();
  const write = (key, value) => {
    const { last, put } = prepared();
    done(put.bind([NAMESPACE, key, ++time, first(last, [NAMESPACE, key]), value]));
  };
  const put = (key, value) => {
    const { begin, commit } = prepared();
    done(begin);
    write(key, value);
    done(commit);
  };
  return {
    put,
    batch(writes) {
      const { begin, commit } = prepared();
      done(begin);
      for (const [key, value] of writes) write(key, value);
      done(commit);
    },
    get: (key) => first(prepared().get, [NAMESPACE, key]),
    touch: () => db.selectValue("SELECT count(*) FROM sqlite_schema"),
    inside(count) {
      const begin = performance.now();
      for (let at = 0; at < count; at++) put(`sensor-${at % 100}`, `{"celsius":${20 + (at % 100) / 10},"people":${at % 3}}`);
      return performance.now() - begin;
    },
    close() {
      for (const statement of Object.values(statements ?? {})) statement.finalize();
      db.close();
      pool.pauseVfs();
    },
  };
});
