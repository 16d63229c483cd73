// `Anabranch.open` in browsers, for each engine that the package has.

import { opener } from "./open.js";
import { RemotePort } from "./remote.js";

/**
 * @param how `load(again)` gives the engine's module, in a fresh instance where it is asked again; `start` starts the worker that
 *   holds it where storage is kept; without `records` it is the store alone
 */
export function inBrowser({ load, start, records }) {
  return opener({
    load,
    records,
    storages: ["memory", "opfs", "indexeddb"],
    remote({ name, storage, hotBytes, settings }) {
      let worker;
      try {
        worker = start();
      } catch {
        // A shared worker starts none, and a page without an origin may not.
        return undefined;
      }
      // What was asked for first, and what a browser without it has.
      const storages = [...new Set([storage, "indexeddb", "memory"])];
      return RemotePort.open(worker, { name, storages, hotBytes, settings });
    },
  });
}
