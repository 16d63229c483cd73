// Puts the package's modules together: a file for each door and worker, which a browser fetches in one or two goes and not level by
// level as they import one another.
//
//   node bindings/javascript/bundle.mjs PARTS PACKAGE
import { join } from "node:path";
import { build } from "esbuild";

const [parts, into] = process.argv.slice(2);
if (into === undefined) throw new Error("usage: bundle.mjs PARTS PACKAGE");

const bundle = (files, options) =>
  build({
    absWorkingDir: parts,
    entryPoints: files.map((file) => join(parts, file)),
    outdir: into,
    bundle: true,
    format: "esm",
    target: "es2022",
    // Fetched beside them, asked for where it is needed, and Node's own.
    external: ["*.wasm", "ws", "node:*"],
    logLevel: "warning",
    ...options,
  });

// What they share stands once, so that an error of one is an error of the other's class.
await bundle(["index.js", "store.js", "edge.js"], { splitting: true, chunkNames: "shared-[hash]" });
await bundle(["node.js", "worker.js", "worker-store.js"]);
