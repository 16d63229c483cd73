// The worker that the package starts for storage that is kept.

import init, * as engine from "./engine.js";
import { early } from "./early.js";
import { serve } from "./tab.js";
import { engines } from "./storages.js";

void serve(globalThis, { load: early(init, engine, new URL("./engine_bg.wasm", import.meta.url)), engines });
