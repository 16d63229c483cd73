// The package's door for browsers and bundlers.

import init, * as engine from "./engine.js";
import { Anabranch } from "./database.js";
import { opener } from "./open.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

Anabranch.open = opener({
  async load() {
    await init({ module_or_path: new URL("./engine_bg.wasm", import.meta.url) });
    return engine;
  },
  storages: ["memory"],
});
