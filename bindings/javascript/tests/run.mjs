// Runs test files of `node:test`, and counts: a line for each test, and `N passed, N failed` at the end.
//
//   node bindings/javascript/tests/run.mjs bindings/javascript/tests/node [NAME …]     files whose names hold a NAME; all without
//
// A test that is `todo` shows what is known to be wrong; it is written out, and counted once it passes.
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "node:test";

const [folder, ...names] = process.argv.slice(2);
const all = readdirSync(folder).filter((name) => name.endsWith(".test.mjs")).sort();
const files = all.filter((name) => names.length === 0 || names.some((wanted) => name.includes(wanted)));

let [passed, failed] = [0, 0];
// Two files at a time: much of what they do is waiting. A file has five minutes, on a busy machine too.
const tests = run({ files: files.map((name) => resolve(join(folder, name))), concurrency: 2, timeout: 300_000 });
tests.on("test:pass", ({ name, nesting, todo, skip }) => {
  if (skip !== undefined) console.log(`${"  ".repeat(nesting)}left out ${name}: ${skip}`);
  else {
    passed += 1;
    console.log(`${"  ".repeat(nesting)}ok      ${name}${todo === undefined ? "" : " (to do no more?)"}`);
  }
});
tests.on("test:fail", ({ name, nesting, todo, details }) => {
  const { error } = details;
  const why = error?.cause?.stack ?? error?.cause ?? error?.stack ?? error;
  if (todo === undefined) {
    failed += 1;
    console.log(`${"  ".repeat(nesting)}FAILED  ${name}: ${why}`);
  } else {
    console.log(`${"  ".repeat(nesting)}to do   ${name}: ${String(why).split("\n")[0]}`);
  }
});
// What a test's own programs and the package say.
tests.on("test:stdout", ({ message }) => process.stdout.write(message));
tests.on("test:stderr", ({ message }) => process.stderr.write(message));
tests.on("end", () => {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
});
tests.resume();
