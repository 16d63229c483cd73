// The package's door for browsers and bundlers, without records and links: `anabranch/store`.

import init, * as engine from "./engine-store.js";
import { Anabranch } from "./database.js";
import { inBrowser, moved } from "./browser.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

// Bundlers find the engine and the worker by this very spelling of their addresses.
Anabranch.open = inBrowser({
  engines: {
    alone: { init, engine, url: () => moved(import.meta.url, "engine-store_bg.wasm") ?? new URL("./engine-store_bg.wasm", import.meta.url) },
  },
  start() {
    const elsewhere = moved(import.meta.url, "worker-store.js");
    if (elsewhere !== undefined) return new Worker(elsewhere, { type: "module", name: "anabranch" });
    return new Worker(new URL("./worker-store.js", import.meta.url), { type: "module", name: "anabranch" });
  },
});
