// The package's door for browsers and bundlers.

import init, * as engine from "./engine.js";
import { Anabranch } from "./database.js";
import { inBrowser } from "./browser.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

// Bundlers find the engine and the worker by this very spelling of their addresses.
Anabranch.open = inBrowser({
  async load(again) {
    if (again) engine.__wbg_reset_state();
    else await init({ module_or_path: new URL("./engine_bg.wasm", import.meta.url) });
    return engine;
  },
  start: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "anabranch" }),
  records: true,
});
