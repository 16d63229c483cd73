// Gives what an engine imports from its script short names: a browser loads them, with the sums that tell them apart, and reads none.
//
//   node bindings/javascript/names.mjs ENGINE.js ENGINE_bg.wasm       changes both
import { readFileSync, writeFileSync } from "node:fs";
import { IMPORTS, imports, leb, number, section } from "./wasm.mjs";

const [script, module] = process.argv.slice(2);
if (module === undefined) throw new Error("usage: names.mjs ENGINE.js ENGINE_bg.wasm");

let text = readFileSync(script, "utf8");
const bytes = readFileSync(module);
const renamed = [];
for (const { from, name, kind, ends } of imports(bytes)) {
  const long = bytes.toString("utf8", number(bytes, name)[1], kind);
  const short = Buffer.from(renamed.length.toString(36));
  // It stands in the script once, as the name of a place.
  const named = new RegExp(`^(\\s*)${long.replace(/[$]/g, "\\$&")}: `, "gm");
  if (text.match(named)?.length !== 1) throw new Error(`the engine's script does not name ${long} once, as "${long}: "`);
  text = text.replace(named, `$1"${short}": `);
  renamed.push(Buffer.concat([bytes.subarray(from, name), leb(short.length), short, bytes.subarray(kind, ends)]));
}
const content = Buffer.concat([leb(renamed.length), ...renamed]);
const { after, end } = section(bytes, IMPORTS);
writeFileSync(module, Buffer.concat([bytes.subarray(0, after), leb(content.length), content, bytes.subarray(end)]));
writeFileSync(script, text);
