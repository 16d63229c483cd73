// The worker that the package starts for storage that is kept.

import initAlone, * as alone from "./engine-store.js";
import init, * as engine from "./engine.js";
import { handed } from "./handed.js";
import { serve } from "./tab.js";
import { engines } from "./storages.js";

const loaders = handed({
  alone: { init: initAlone, engine: alone, url: new URL("./engine-store_bg.wasm", import.meta.url) },
  records: { init, engine, url: new URL("./engine_bg.wasm", import.meta.url) },
});
void serve(globalThis, { ...loaders, engines });
