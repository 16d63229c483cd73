// The package's door for edge workers, which are given compiled WebAssembly and may compile none.

import module from "./engine_bg.wasm";
import * as engine from "./engine.js";
import { Anabranch } from "./database.js";
import { neverAgain, opener } from "./open.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

Anabranch.open = opener({
  async load(panics) {
    neverAgain(panics);
    engine.initSync({ module });
    return engine;
  },
  storages: ["memory"],
});
