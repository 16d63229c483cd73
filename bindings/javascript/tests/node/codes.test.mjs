// The codes are one list: in the sources, in the types, and on the guide's page.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { PACKAGE, ROOT } from "../package.mjs";

const read = (path) => readFileSync(join(ROOT, path), "utf8");
const CODE = /"([A-Z]+(?:_[A-Z]+)+|DAMAGED|CONFLICT|CLOSED|PANICKED)"/g;
const codes = (text, pattern = CODE) => new Set([...text.matchAll(pattern)].map(([, code]) => code));

/** The `code()` of an error in Rust. */
function ofRust(path) {
  const [, body] = read(path).match(/pub const fn code\(&self\) -> &'static str \{\n(.*?)\n {4}\}\n/s);
  return codes(body);
}

const typed = codes(readFileSync(join(PACKAGE, "index.d.ts"), "utf8").match(/type ErrorCode =(.*?);/s)[1]);
const store = new Set([...ofRust("crates/store/src/error.rs"), ...ofRust("crates/store/src/backend.rs")]);
const sources = (folder, ends) => readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(ends)).map((name) => read(join(folder, name))).join("\n");
const engine = codes(sources("bindings/javascript/src", ".rs"));
const package_ = codes(sources("bindings/javascript/js", ".js"));
// What Node's own errors are called, and the page's events.
for (const foreign of ["ERR_INVALID_ARG_VALUE"]) package_.delete(foreign);

test("the store has as many codes as there are", () => {
  assert.ok(store.size >= 20, [...store].join());
  assert.ok(store.has("KEY_NOT_FOUND") && store.has("STORAGE_FULL"));
});

test("the types list each code that the store, the engine and the package have, and no other", () => {
  assert.deepEqual([...typed].sort(), [...new Set([...store, ...engine, ...package_])].sort());
});

test("the guide's page describes each, and no other", () => {
  const page = codes(read("docs/guide/error-codes.md"), /^\| `([A-Z_]+)` \|/gm);
  assert.deepEqual([...page].sort(), [...typed].sort());
});

test("the guide's other pages and the README name no code that there is not", () => {
  for (const page of ["docs/guide/browser.md", "docs/guide/what-persists-where.md", "bindings/javascript/README.md"]) {
    for (const code of codes(read(page), /[`"]([A-Z]+(?:_[A-Z]+)+)[`"]/g)) assert.ok(typed.has(code), `${page}: ${code}`);
  }
});
