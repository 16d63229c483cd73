// Puts, reads and subscriptions opened and closed, for as long as one likes: in a page or in Node.

/**
 * Fills what is bounded, the engine's caches, as long use would within hours: with more than the largest of them, of 32 MiB, holds.
 * What grows after that is not theirs.
 */
export async function warm(db) {
  const value = new Uint8Array(64 << 10);
  for (let round = 0; round < 40; round++) {
    await db.writeBatch(Array.from({ length: 20 }, (_, key) => ({ namespace: "warm", key: `key-${key}`, value })));
  }
  for (let key = 0; key < 20; key++) await db.history("warm", `key-${key}`, { limit: 40 });
}

/**
 * Goes on until `milliseconds` have passed, and says how often it went round. What it writes are new versions of the same keys, so
 * that on a disk nothing but the disk has to grow; `round(n)` is awaited after each.
 */
export async function soak(db, milliseconds) {
  const end = performance.now() + milliseconds;
  let rounds = 0;
  while (performance.now() < end) {
    const following = db.subscribe("soak", {}, () => {});
    await following.ready;
    const iterated = db.subscribe("soak", { prefix: "key-1" });
    await iterated.ready;
    for (let at = 0; at < 20; at++) await db.put("soak", `key-${at}`, { round: rounds, at, text: "x".repeat(50) });
    await db.writeBatch(Array.from({ length: 20 }, (_, at) => ({ namespace: "soak", key: `key-${at}`, value: { round: rounds } })));
    await iterated.next();
    for (let at = 0; at < 20; at++) await db.get("soak", `key-${at}`);
    await db.history("soak", "key-1", { limit: 10 });
    await db.listKeys("soak");
    await db.get("soak", "nothing").catch(() => {});
    following.close();
    iterated.close();
    rounds += 1;
    // A page that never yields collects nothing.
    if (rounds % 50 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  return rounds;
}
