// The package's door for edge workers, which are given compiled WebAssembly and may compile none.

import module from "./engine_bg.wasm";
import * as engine from "./engine.js";
import { Anabranch } from "./database.js";
import { opener } from "./open.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

/** One engine for all: whoever bundles a worker has it bundled once. */
async function load(again) {
  if (again) engine.__wbg_reset_state();
  else engine.initSync({ module });
  return engine;
}

Anabranch.open = opener({
  engines: { alone: load, records: load },
  storages: ["memory"],
});
