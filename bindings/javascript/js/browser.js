// `Anabranch.open` in browsers, for each engine that the package has.

import { compiled } from "./handed.js";
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
 * @param how `engines`, by what they are needed for: `alone` for the store, and `records` unless there are none to be had here; each
 *   `{ init, engine, url() }`; `start` starts the worker that holds one where storage is kept
 */
export function inBrowser({ engines, start }) {
  const loader = ({ init, engine, url }) => async (again) => {
    if (again) engine.__wbg_reset_state();
    else await init({ module_or_path: url() });
    return engine;
  };
  return opener({
    engines: Object.fromEntries(Object.entries(engines).map(([what, its]) => [what, loader(its)])),
    storages: ["memory", "opfs", "indexeddb"],
    remote({ name, storage, hotBytes, settings }) {
      const needs = settings === null ? "alone" : "records";
      // Fetched and compiled here meanwhile: a worker takes as long to start.
      const module = compiled(engines[needs].url());
      let worker;
      try {
        worker = start();
      } catch {
        // A shared worker starts none, and a page without an origin may not. Whoever needs the module asks for it again.
        module.catch(() => {});
        return undefined;
      }
      // What was asked for first, and what a browser without it has.
      const storages = [...new Set([storage, "indexeddb", "memory"])];
      return RemotePort.open(worker, { name, storages, hotBytes, settings, needs }, module);
    },
  });
}
