// What the package's engines take when they are loaded: measured, and held to their budget.
//
//   node bindings/javascript/sizes.mjs FOLDER            fails where one exceeds its bound, has grown by over 2 %, or the README has another table
//   node bindings/javascript/sizes.mjs FOLDER --rows     prints them as rows of a benchmark as well
//   node bindings/javascript/sizes.mjs FOLDER --accept   makes what they take their budget, and writes the README's table
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const BUDGET = here("budget.json");
const README = here("../../README.md");
const [BEGIN, END] = ["<!-- the package's sizes -->\n", "<!-- end -->"];

/** What each engine is, and what it is never to exceed, in bytes of gzip. */
const ENGINES = [
  { name: "engine-store", says: "a browser's, the store alone", bound: 180_000 },
  { name: "engine", says: "a browser's, with records and MQTT", bound: 280_000 },
  // Beyond the browser's what redb takes by itself, and what is between them: ARCHITECTURE.md says why it is no less.
  { name: "engine-node", says: "Node's, with records, MQTT and redb", bound: 445_000 },
];

const [folder, option] = process.argv.slice(2);
const budget = JSON.parse(readFileSync(BUDGET, "utf8"));
const measured = {};
const faults = [];
for (const { name, says, bound } of ENGINES) {
  const bytes = readFileSync(join(folder, `${name}_bg.wasm`));
  measured[name] = { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
  const { gzip } = measured[name];
  console.log(`${name.padEnd(14)} ${String(bytes.length).padStart(9)} bytes, ${String(gzip).padStart(8)} as gzip; at most ${bound}`);
  if (gzip > bound) faults.push(`${name} takes ${gzip} bytes as gzip, over the ${bound} that it is to take at most`);
  if (option === "--rows") {
    const row = { case: `the engine as gzip: ${says}`, unit: "bytes", ours: gzip, peers: {}, ratio: null, bound: `<= ${bound}`, holds: gzip <= bound };
    console.log(`JSON ${JSON.stringify(row)}`);
  }
  if (gzip > budget[name].gzip * 1.02) faults.push(`${name} takes ${gzip} bytes as gzip, over 2 % more than its budget of ${budget[name].gzip}`);
}
const kb = (bytes) => `${Math.round(bytes / 1000)} KB`;
const rows = (of) => ENGINES.map(({ name, says, bound }) => `| ${says} | ${kb(of[name].raw)} | ${kb(of[name].gzip)} | ${kb(bound)} |`);
const table = (of) => ["| engine | wasm | gzip | shall be at most |", "|---|---|---|---|", ...rows(of), ""].join("\n");
const readme = readFileSync(README, "utf8");
const begins = readme.indexOf(BEGIN) + BEGIN.length;
const ends = readme.indexOf(END, begins);
if (option === "--accept") {
  writeFileSync(BUDGET, `${JSON.stringify(measured, null, 2)}\n`);
  writeFileSync(README, readme.slice(0, begins) + table(measured) + readme.slice(ends));
} else if (readme.slice(begins, ends) !== table(budget)) {
  faults.push("the README has another table than budget.json: run this with --accept");
}
for (const fault of faults) console.error(fault);
if (option !== "--accept" && faults.length > 0) process.exitCode = 1;
