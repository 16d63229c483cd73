// `Anabranch.open` in browsers, for each engine that the package has.

import { opener } from "./open.js";
import { RemotePort } from "./remote.js";

/**
 * Where a file of the package is, if the module of this address was moved away from it. Vite's server for development puts what is
 * installed together into modules in a folder of its own, and leaves other files where they are.
 */
export function moved(module, file) {
  const [, modules] = /^(.*)\/\.vite\/deps\/[^/]*$/.exec(module) ?? [];
  return modules === undefined ? undefined : `${modules}/anabranch/${file}`;
}

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
