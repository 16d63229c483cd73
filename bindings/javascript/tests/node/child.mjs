// Another process with a database, for tests that kill it: `child.mjs PACKAGE WHAT DIRECTORY`.
const [source, what, directory] = process.argv.slice(2);
const { Anabranch } = await import(source);
const db = await Anabranch.open({ storage: "file", name: directory });
const say = (message) => new Promise((said) => process.send(message, said));

switch (what) {
  // Holds it, and writes when it is told to; `{ pass }` sets its clock that many milliseconds forth.
  case "hold":
    process.on("message", async (value) => {
      if (value?.pass !== undefined) {
        const { now } = Date;
        Date.now = () => now() + value.pass;
        return;
      }
      const answer = await db.put("held", "key", value).then(({ versionId }) => ({ versionId }), ({ code, message }) => ({ code, message }));
      await say(answer);
    });
    await say("open");
    break;
  // Writes for ever, several at a time, and says what was acknowledged.
  case "write":
    await say("open");
    for (let round = 0; ; round++) {
      const writes = Array.from({ length: 5 }, (_, at) => db.put("written", `key ${at}`, { round, at }));
      for (const { versionId, value } of await Promise.all(writes)) await say({ versionId, value });
    }
  // Ends in order, with the database open.
  case "leave":
    await db.put("left", "key", 1);
    await say("written");
    process.exit(0);
  default:
    throw new Error(`nobody knows what ${what} is`);
}
