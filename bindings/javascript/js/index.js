// The package's door for browsers and bundlers.

import init, * as engine from "./engine.js";
import { Anabranch } from "./database.js";
import { inBrowser, moved } from "./browser.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

// Bundlers find the engine and the worker by this very spelling of their addresses.
Anabranch.open = inBrowser({
  async load(again) {
    if (again) engine.__wbg_reset_state();
    else await init({ module_or_path: moved(import.meta.url, "engine_bg.wasm") ?? new URL("./engine_bg.wasm", import.meta.url) });
    return engine;
  },
  start() {
    const elsewhere = moved(import.meta.url, "worker.js");
    if (elsewhere !== undefined) return new Worker(elsewhere, { type: "module", name: "anabranch" });
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "anabranch" });
  },
  records: true,
});
