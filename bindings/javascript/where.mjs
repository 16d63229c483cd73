// Says which functions a panic's place names: `wasm-function[12]:0x345` becomes the function's name. An engine is published without those;
// building the same version leaves them in `target/npm/symbols`.
//
//   node bindings/javascript/where.mjs target/npm/symbols/ENGINE.txt < MESSAGE
//
// ENGINE is `engine-node` for a directory, `engine` where records or connectors were declared, else `engine-store`.
import { readFileSync } from "node:fs";

const [symbols] = process.argv.slice(2);
if (symbols === undefined) throw new Error("usage: where.mjs SYMBOLS < MESSAGE");

const names = new Map(readFileSync(symbols, "utf8").split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
/** Without its place in the order, and the sums that tell crates apart. */
const plain = (name) => name.replace(/^\d+ /, "").replace(/\[[0-9a-f]{8,16}\]/g, "");
const named = (frame, number) => (names.has(number) ? `\n  ${plain(names.get(number))}` : frame);
process.stdout.write(readFileSync(0, "utf8").replace(/wasm-function\[(\d+)\](:0x[0-9a-f]+)?( <)?/g, named));
