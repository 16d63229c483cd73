// Loads the glued module and runs its `main`.
//
//   node examples/sensors-to-alerts/node/run.mjs OUT_DIR/sensors_to_alerts_node.js
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [module] = process.argv.slice(2);
if (module === undefined) {
  console.error("usage: node run.mjs OUT_DIR/sensors_to_alerts_node.js");
  process.exit(2);
}
await createRequire(import.meta.url)(resolve(module)).main();
