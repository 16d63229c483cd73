// Counts its own runs in a directory, and tells of each: `node visits.mjs [DIRECTORY]`.
//
// The directory is that of the `anabranch` program, too: `anabranch history visits count --data DIRECTORY`.
import { Anabranch, AnabranchError } from "anabranch";

const db = await Anabranch.open({ storage: "file", name: process.argv[2] ?? "visits" });
try {
  const last = await db.get("visits", "count").catch((error) => {
    if (error instanceof AnabranchError && error.code === "KEY_NOT_FOUND") return undefined;
    throw error;
  });
  const before = /** @type {number} */ (last?.value ?? 0);
  const because = last === undefined ? [] : [last.versionId];
  // Only if nobody else has counted meanwhile.
  const now = await db.putIf("visits", "count", before + 1, last?.versionId ?? null, { because });
  console.log(`visit ${now.value}`);
  for (const { value, timestamp } of await db.history("visits", "count")) console.log(`${timestamp} ${value}`);
} finally {
  await db.close();
}
