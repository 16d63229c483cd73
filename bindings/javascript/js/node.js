// The package's door for Node.

import { readFile } from "node:fs/promises";
import * as first from "./engine-node.js";
import { Anabranch } from "./database.js";
import { Files } from "./files.js";
import { LocalPort } from "./local.js";
import { opener } from "./open.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

Anabranch.open = opener({
  async load(panics) {
    // A module that has panicked is of no use; by another name it is loaded once more.
    const engine = panics === 0 ? first : await import(`./engine-node.js?${panics}`);
    engine.initSync({ module: await readFile(new URL("./engine-node_bg.wasm", import.meta.url)) });
    return engine;
  },
  storages: ["memory", "file"],
  async file(loaded, { name, hotBytes }) {
    const files = new Files(name);
    const open = (emit) => loaded.exports.Engine.file(files, hotBytes, emit);
    return LocalPort.open(loaded, "file", name, open, () => files.abandon());
  },
});
