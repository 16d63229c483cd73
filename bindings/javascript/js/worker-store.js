// The worker that the package, without records and links, starts for storage that is kept.

import init, * as engine from "./engine-store.js";
import { handed } from "./handed.js";
import { serve } from "./tab.js";
import { engines } from "./storages.js";

const loaders = handed({ alone: { init, engine, url: new URL("./engine-store_bg.wasm", import.meta.url) } });
void serve(globalThis, { ...loaders, engines });
