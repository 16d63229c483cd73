// What the types promise: it compiles in the strictest mode, and what is wrong does not.
import { Anabranch, AnabranchError, Temporal, type ErrorCode, type Keyed, type Version, type Deletion, type Value } from "anabranch";

interface Room {
  celsius: number;
  people: string[];
}
type Kept = Room & Record<string, Value>;

export async function all(): Promise<void> {
  await using db = await Anabranch.open({ name: "rooms", storage: "opfs", hotBytes: 1 << 20 });
  const storage: "memory" | "opfs" | "indexeddb" | "file" = db.storage;
  const put: Version<{ celsius: number }> = await db.put("rooms", "kitchen", { celsius: 21 }, { because: [] });
  const got = await db.get<Kept>("rooms", "kitchen");
  const celsius: number = got.value.celsius;
  const before: string | undefined = got.previousVersion;
  const then: Kept = await db.getAt<Kept>("rooms", "kitchen", new Date());
  for (const version of await db.history<Kept>("rooms", "kitchen", { limit: 10, from: put.timestamp })) {
    // A deletion has no value, and says so.
    if ("deleted" in version) version satisfies Deletion;
    else version.value.people.push("somebody");
  }
  await db.putIf("rooms", "kitchen", new Uint8Array(1), null);
  await db.writeBatch([
    { namespace: "rooms", key: "a", value: [1n, new Date(), new Float32Array(3), null] },
    { namespace: "rooms", key: "b", deleted: true, expected: put.versionId },
  ]);
  const keys: string[] = await db.listKeys("rooms", { prefix: "k", at: "2026-03-29T13:37:00Z" });
  using following = db.subscribe<Kept>("rooms", { from: "beginning" });
  for await (const item of following) {
    item satisfies Keyed<Version<Kept> | Deletion>;
    if (item.key === "kitchen") break;
  }
  db.subscribe("rooms", ({ key, namespace }) => console.log(namespace, key)).close();
  const file: Uint8Array = await db.export();
  const stream: ReadableStream<Uint8Array> = await db.export({ stream: true });
  await db.import(stream);
  for await (const piece of await db.export({ stream: true })) piece satisfies Uint8Array;
  await db.import((async function* () { yield file; })());
  const { new: fresh, known } = await db.import(new Blob([file.slice()]));
  const { steps, isWhole } = await db.why(put.versionId);
  console.log(storage, celsius, before, then, keys, fresh, known, steps, isWhole, new Temporal("date", "2026-03-29").text);
  try {
    await db.get("rooms", "cellar");
  } catch (error) {
    if (error instanceof AnabranchError) {
      const code: ErrorCode = error.code;
      const place: string | undefined = error.path ?? error.currentVersion;
      console.log(code === "KEY_NOT_FOUND", place);
    }
  }

  // @ts-expect-error: no such storage
  await Anabranch.open({ storage: "disk" });
  // @ts-expect-error: nobody but `open` makes one
  new Anabranch();
  // @ts-expect-error: a function is no value
  await db.put("rooms", "kitchen", () => 1);
  // @ts-expect-error: nor is undefined
  await db.put("rooms", "kitchen", undefined);
  // @ts-expect-error: a key is text
  await db.get("rooms", 5);
  // @ts-expect-error: what is expected has to be said
  await db.putIf("rooms", "kitchen", 1);
  // @ts-expect-error: a write with a value deletes nothing
  await db.writeBatch([{ namespace: "rooms", key: "a", value: 1, deleted: true }]);
  // @ts-expect-error: a version may be a deletion, without a value to look into
  (await db.history<Kept>("rooms", "kitchen"))[0].value.celsius;
  // @ts-expect-error: a stream is asked for by name
  await db.export(true);
  // @ts-expect-error: what is exported is bytes
  await db.import("text");
  // @ts-expect-error: there is no such code
  new AnabranchError("x", "y").code === "KEY_LOST";
}
