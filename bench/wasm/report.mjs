// Measuring ours beside a peer's, as bench/src/lib.rs does for the other benchmarks: interleaved rounds, medians, a ratio against a
// bound, lines as they come, and JSON for the table.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** How a ratio, or a figure, must stand. `shown`: nothing was promised. */
export const atMost = (bound) => ({ text: `<= ${bound}`, holds: (it) => it <= bound });
export const atLeast = (bound) => ({ text: `>= ${bound}`, holds: (it) => it >= bound });
export const shown = { text: "shown", holds: () => true };

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/**
 * Runs the contestants in turn, `rounds` times, after one round that does not count unless `isCold`; gives the median of each. Who
 * goes first changes, so that none has the warmer or the cooler machine.
 */
export async function interleaved(rounds, contestants, { isCold = false } = {}) {
  const names = Object.keys(contestants);
  const all = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = isCold ? 0 : -1; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + Math.max(round, 0)) % names.length];
      const measured = await contestants[name]();
      if (round >= 0) all[name].push(measured);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(all[name])]));
}

/** The rows of one run. */
export class Report {
  #rows = [];

  /** Ours beside a peer's: `peer` is its name and its median, and the bound is of the ratio. */
  row({ case: what, unit, ours, peer: [name, theirs], bound = shown, note = "" }) {
    const ratio = ours / theirs;
    this.#add({ case: what, unit, ours, peers: { [name]: theirs }, ratio, bound: bound.text, holds: bound.holds(ratio), note });
  }

  /** A figure that stands by itself. */
  figure({ case: what, unit, ours, bound = shown, note = "" }) {
    this.#add({ case: what, unit, ours, peers: {}, ratio: null, bound: bound.text, holds: bound.holds(ours), note });
  }

  /** A row that another program has measured. */
  foreign(row) {
    this.#add(row);
  }

  #add(row) {
    const [peer, theirs] = Object.entries(row.peers ?? {})[0] ?? ["", undefined];
    const number = (it) => (typeof it === "number" ? it.toFixed(it < 10 ? 3 : 1) : "").padStart(11);
    const ratio = row.ratio === null ? "" : `ratio ${row.ratio.toFixed(3)} `;
    console.log(`${(row.holds ? "ok" : "FAIL").padEnd(4)} ${row.case.padEnd(66)} ${number(row.ours)} ${number(theirs)} ${`${peer} (${row.unit})`.padEnd(30)} ${ratio}(${row.bound}) ${row.note ?? ""}`);
    this.#rows.push(row);
  }

  write(file) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(this.#rows, null, 2)}\n`);
  }
}
