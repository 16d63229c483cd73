// Gives what an engine imports from its script, and what it exports to it, short names: a browser loads them, with the sums that tell them
// apart, and reads none.
//
//   node bindings/javascript/names.mjs ENGINE.js ENGINE_bg.wasm       changes both
import { readFileSync, writeFileSync } from "node:fs";
import { EXPORTS, IMPORTS, exported, imports, leb, text, withSection } from "./wasm.mjs";

const [script, module] = process.argv.slice(2);
if (module === undefined) throw new Error("usage: names.mjs ENGINE.js ENGINE_bg.wasm");

/** What others than the script ask for by its name. */
const KEPT = ["memory"];

let said = readFileSync(script, "utf8");
let bytes = readFileSync(module);
bytes = withSection(bytes, IMPORTS, [...imports(bytes)].map(({ from, name, kind, ends }, place) => {
  const long = text(bytes, name);
  const short = place.toString(36);
  // It stands in the script once, as the name of a place.
  const named = new RegExp(`^(\\s*)${long.replace(/[$]/g, "\\$&")}: `, "gm");
  if (said.match(named)?.length !== 1) throw new Error(`the engine's script does not name ${long} once, as "${long}: "`);
  said = said.replace(named, `$1"${short}": `);
  return Buffer.concat([bytes.subarray(from, name), leb(short.length), Buffer.from(short), bytes.subarray(kind, ends)]);
}));
bytes = withSection(bytes, EXPORTS, [...exported(bytes)].map(({ from, kind, ends }, place) => {
  const long = text(bytes, from);
  // One that the script does not ask for so keeps its name.
  const named = new RegExp(`\\bwasm\\.${long.replace(/[$]/g, "\\$&")}\\b`, "g");
  if (KEPT.includes(long) || !named.test(said)) return bytes.subarray(from, ends);
  const short = `e${place.toString(36)}`;
  said = said.replace(named, `wasm.${short}`);
  return Buffer.concat([leb(short.length), Buffer.from(short), bytes.subarray(kind, ends)]);
}));
writeFileSync(module, bytes);
writeFileSync(script, said);
