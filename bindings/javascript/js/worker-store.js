// The worker that the package, without records and links, starts for storage that is kept.

import init, * as engine from "./engine-store.js";
import { early } from "./early.js";
import { serve } from "./tab.js";
import { engines } from "./storages.js";

void serve(globalThis, { load: early(init, engine, new URL("./engine-store_bg.wasm", import.meta.url)), engines });
