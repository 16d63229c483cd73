// Gives what an engine imports from its script short names: a browser loads them, with the sums that tell them apart, and reads none.
//
//   node bindings/javascript/names.mjs ENGINE.js ENGINE_bg.wasm       changes both
import { readFileSync, writeFileSync } from "node:fs";

const [script, module] = process.argv.slice(2);
if (module === undefined) throw new Error("usage: names.mjs ENGINE.js ENGINE_bg.wasm");

const IMPORTS = 2;
/** What follows an import's kind: an index; of a tag, a byte before it. Of tables and memories, which no engine imports, it is longer. */
const FUNCTION = 0;

let text = readFileSync(script, "utf8");
const bytes = readFileSync(module);
const { at, end, after } = section(IMPORTS);
const [count, first] = number(at);
const renamed = [leb(count)];
let place = first;
for (let index = 0; index < count; index++) {
  const [from, name, kind] = [place, skipped(place), skipped(skipped(place))];
  if (bytes[kind] !== FUNCTION) throw new Error(`an engine imports something that is no function: let names.mjs know of kind ${bytes[kind]}`);
  const long = bytes.toString("utf8", number(name)[1], kind);
  const short = Buffer.from(index.toString(36));
  // It stands in the script once, as the name of a place.
  const named = new RegExp(`^(\\s*)${long.replace(/[$]/g, "\\$&")}: `, "gm");
  if (text.match(named)?.length !== 1) throw new Error(`the engine's script does not name ${long} once, as "${long}: "`);
  text = text.replace(named, `$1"${short}": `);
  place = number(kind + 1)[1];
  renamed.push(bytes.subarray(from, name), leb(short.length), short, bytes.subarray(kind, place));
}
if (place !== end) throw new Error("the engine's imports end somewhere else than they say");
const imports = Buffer.concat(renamed);
writeFileSync(module, Buffer.concat([bytes.subarray(0, after), leb(imports.length), imports, bytes.subarray(end)]));
writeFileSync(script, text);

/** Where the content of a section begins and ends, and where the number stands that says how long it is. */
function section(kind) {
  for (let place = 8; place < bytes.length; ) {
    const [length, at] = number(place + 1);
    if (bytes[place] === kind) return { at, end: at + length, after: place + 1 };
    place = at + length;
  }
  throw new Error("the engine has no imports");
}

/** A number of as many bytes as it takes, and where it ends. */
function number(place) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[place++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, place];
  }
}

/** Where the text that stands here ends. */
function skipped(place) {
  const [length, at] = number(place);
  return at + length;
}

function leb(value) {
  const written = [];
  for (; value >= 0x80; value >>>= 7) written.push((value & 0x7f) | 0x80);
  return Buffer.from([...written, value]);
}
