// The package's door for Node.

import { readFile } from "node:fs/promises";
import * as engine from "./engine.js";
import { Anabranch } from "./database.js";
import { opener } from "./open.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

Anabranch.open = opener({
  async load() {
    engine.initSync({ module: await readFile(new URL("./engine_bg.wasm", import.meta.url)) });
    return engine;
  },
  storages: ["memory"],
});
