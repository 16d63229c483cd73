// Names an engine's functions by the order in which gzip makes the fewest bytes of them: `wasm-opt --reorder-functions-by-name` then puts
// them so. gzip looks back no further than 32 KiB, so what is alike is to stand together.
//
//   node bindings/javascript/order.mjs ENGINE_bg.wasm       changes it
//
// One function comes after another: of those that are left, the one of which most has just stood there, by the sequences of bytes that it
// shares with those before.
import { readFileSync, writeFileSync } from "node:fs";
import { CODE, functionNames, imports, number, section, withFunctionNames } from "./wasm.mjs";

const [module] = process.argv.slice(2);
if (module === undefined) throw new Error("usage: order.mjs ENGINE_bg.wasm");

/** How many bytes make a sequence: gzip takes three and more for one, and two bytes say where it stood. */
const SEQUENCE = 6;
/** A sequence that more functions have than these stands within reach of any place. */
const COMMON = 1000;
/** What gzip looks back, less a little for the function itself; and what is so near that it is said in fewer bits, which counts twice. */
const REACHES = [30_000, 8_000];
/** Between 0, which takes large functions first, and 1, which takes small ones. */
const BY_SIZE = 0.5;

const bytes = readFileSync(module);
const functions = bodies();
const order = inOrder(functions.map(sequences));
const first = [...imports(bytes)].length;
const width = String(functions.length).length;
const rank = new Array(functions.length);
order.forEach((number, place) => (rank[number] = place));
const called = functionNames(bytes);
const name = (place, index) => [first + index, `${String(place).padStart(width, "0")} ${called.get(first + index) ?? ""}`];
writeFileSync(module, withFunctionNames(bytes, rank.map(name)));

/** The functions that the engine has itself. */
function bodies() {
  let [count, place] = number(bytes, section(bytes, CODE).at);
  const found = [];
  for (; count > 0; count--) {
    const [length, at] = number(bytes, place);
    place = at + length;
    found.push(bytes.subarray(at, place));
  }
  return found;
}

/** What the function has in common with another, if it does. */
function sequences(body) {
  const found = new Set();
  for (let at = 0; at + SEQUENCE <= body.length; at++) found.add(body.toString("latin1", at, at + SEQUENCE));
  return found;
}

function inOrder(having) {
  const who = new Map();
  having.forEach((own, index) => own.forEach((sequence) => who.has(sequence) ? who.get(sequence).push(index) : who.set(sequence, [index])));
  const telling = having.map((own) => [...own].map((sequence) => who.get(sequence)).filter((all) => all.length > 1 && all.length <= COMMON));
  const weight = functions.map((body) => (body.length + 20) ** BY_SIZE);
  const shared = new Float64Array(functions.length);
  const reaches = REACHES.map((reach) => ({ reach, within: new Map(), oldest: 0, bytes: 0 }));
  const count = (within, index, by) => {
    for (const all of telling[index]) {
      const before = within.get(all) ?? 0;
      within.set(all, before + by);
      if (before === 0 || before + by === 0) for (const one of all) shared[one] += by;
    }
  };
  const left = new Set(functions.keys());
  const placed = [];
  // The largest first, of which the others then have most.
  let next = functions.reduce((largest, body, index) => (body.length > functions[largest].length ? index : largest), 0);
  for (;;) {
    left.delete(next);
    placed.push(next);
    if (left.size === 0) return placed;
    for (const each of reaches) {
      count(each.within, next, 1);
      each.bytes += functions[next].length;
      // The last one stays, however large it is.
      for (; each.bytes > each.reach && each.oldest < placed.length - 1; each.oldest++) {
        count(each.within, placed[each.oldest], -1);
        each.bytes -= functions[placed[each.oldest]].length;
      }
    }
    let best = -1;
    for (const index of left) {
      const value = shared[index] / weight[index];
      if (value > best) [best, next] = [value, index];
    }
  }
}
