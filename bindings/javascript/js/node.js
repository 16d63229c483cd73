// The package's door for Node.

import { readFileSync } from "node:fs";
import * as alone from "./engine-store.js";
import * as records from "./engine.js";
import * as directory from "./engine-node.js";
import { Anabranch } from "./database.js";
import { Files } from "./files.js";
import { LocalPort } from "./local.js";
import { opener } from "./open.js";

export { AnabranchError } from "./errors.js";
export { Temporal } from "./values.js";
export { Anabranch };

/** Loads one from its file. It is compiled by other threads. */
const loader = (engine, file) => async (again) => {
  if (again) engine.__wbg_reset_state();
  else engine.initSync({ module: await WebAssembly.compile(readFileSync(new URL(file, import.meta.url))) });
  return engine;
};

Anabranch.open = opener({
  // The more it can, the longer it takes to compile.
  engines: {
    alone: loader(alone, "./engine-store_bg.wasm"),
    records: loader(records, "./engine_bg.wasm"),
    file: loader(directory, "./engine-node_bg.wasm"),
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
