// PGlite with a table of versions, in private files (`opfs-ahp`).

import { PGlite } from "/peers/@electric-sql/pglite/dist/index.js";
import { serve } from "./behind.js";

const NAMESPACE = "rooms";

serve(async ({ name }) => {
  const db = await PGlite.create(`opfs-ahp://pglite-${name}`);
  await db.exec("CREATE TABLE IF NOT EXISTS versions (namespace text, key text, time bigint, value text, PRIMARY KEY (namespace, key, time))");
  let time = Date.now() * 1000;
  const put = (to, key, value) => to.query("INSERT INTO versions VALUES ($1, $2, $3, $4)", [NAMESPACE, key, ++time, value]);
  return {
    put: async (key, value) => void (await put(db, key, value)),
    batch: (writes) =>
      db.transaction(async (to) => {
        for (const [key, value] of writes) await put(to, key, value);
      }),
    get: async (key) => (await db.query("SELECT value FROM versions WHERE namespace = $1 AND key = $2 ORDER BY time DESC LIMIT 1", [NAMESPACE, key])).rows[0].value,
    touch: async () => void (await db.query("SELECT 1")),
    close: () => db.close(),
  };
});
