// The package's door for browsers and bundlers, without records and links: `anabranch/store`.

import init, * as engine from "./engine-store.js";
import { Anabranch } from "./database.js";
import { opener } from "./open.js";
import { RemotePort } from "./remote.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

Anabranch.open = opener({
  async load(again) {
    if (again) engine.__wbg_reset_state();
    else await init({ module_or_path: new URL("./engine-store_bg.wasm", import.meta.url) });
    return engine;
  },
  records: false,
  storages: ["memory", "opfs", "indexeddb"],
  remote({ name, storage, hotBytes, settings }) {
    let worker;
    try {
      // Bundlers find the worker by this very spelling.
      worker = new Worker(new URL("./worker-store.js", import.meta.url), { type: "module", name: "anabranch" });
    } catch {
      // A shared worker starts none, and a page without an origin may not.
      return undefined;
    }
    // What was asked for first, and what a browser without it has.
    const storages = [...new Set([storage, "indexeddb", "memory"])];
    return RemotePort.open(worker, { name, storages, hotBytes, settings });
  },
});
