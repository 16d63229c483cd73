// Puts the package's modules together: one file for each door and worker, which a browser fetches in one go and not level by level as
// they import one another. Names stay, so that an error's stack can be read; what is said to readers does not.
//
//   node bindings/javascript/bundle.mjs PARTS PACKAGE
import { join } from "node:path";
import { build } from "esbuild";

const [parts, into] = process.argv.slice(2);
if (into === undefined) throw new Error("usage: bundle.mjs PARTS PACKAGE");

const entries = ["index.js", "store.js", "edge.js", "node.js", "worker.js", "worker-store.js"];
await build({
  absWorkingDir: parts,
  entryPoints: entries.map((file) => join(parts, file)),
  outdir: into,
  bundle: true,
  format: "esm",
  target: "es2022",
  minifySyntax: true,
  minifyWhitespace: true,
  // Fetched beside them, asked for where it is needed, and Node's own.
  external: ["*.wasm", "ws", "node:*"],
  logLevel: "warning",
});
