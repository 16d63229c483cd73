// The worker that the package, without records and links, starts for storage that is kept.

import init, * as engine from "./engine-store.js";
import { serve } from "./tab.js";
import { engines } from "./storages.js";

void serve(globalThis, {
  async load() {
    await init({ module_or_path: new URL("./engine-store_bg.wasm", import.meta.url) });
    return engine;
  },
  engines,
});
