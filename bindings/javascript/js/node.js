// The package's door for Node.

import { readFileSync } from "node:fs";
import * as engine from "./engine-node.js";
import { Anabranch } from "./database.js";
import { Files } from "./files.js";
import { LocalPort } from "./local.js";
import { opener } from "./open.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

Anabranch.open = opener({
  async load(again) {
    if (again) engine.__wbg_reset_state();
    else engine.initSync({ module: readFileSync(new URL("./engine-node_bg.wasm", import.meta.url)) });
    return engine;
  },
  async prepare(engine, { connects }) {
    // Node has WebSockets of its own since version 22.
    if (connects && globalThis.WebSocket === undefined) engine.useWebSocket((await import("ws")).WebSocket);
  },
  storages: ["memory", "file"],
  async file(loaded, { name, hotBytes, settings }) {
    const files = new Files(name);
    const open = (emit) => loaded.exports.Engine.file(files, hotBytes, emit);
    return LocalPort.open(loaded, "file", name, settings, open, () => files.abandon());
  },
});
