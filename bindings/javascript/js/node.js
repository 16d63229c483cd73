// The package's door for Node.

import { readFile } from "node:fs/promises";
import * as engine from "./engine-node.js";
import { Anabranch } from "./database.js";
import { Files } from "./files.js";
import { LocalPort } from "./local.js";
import { opener } from "./open.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

Anabranch.open = opener({
  async load() {
    engine.initSync({ module: await readFile(new URL("./engine-node_bg.wasm", import.meta.url)) });
    return engine;
  },
  storages: ["memory", "file"],
  file(loaded, { name, hotBytes, settings }) {
    const open = (emit) => loaded.exports.Engine.file(new Files(name), hotBytes, emit);
    return LocalPort.open(loaded, "file", name, settings, open);
  },
});
