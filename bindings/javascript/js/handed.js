// The engine of a worker: the page compiles it while the worker starts, and hands it over.

/** What `serve` gets its engine from: one of `engines`, by what it is needed for, each `{ init, engine, url }`. */
export function handed(engines) {
  let give;
  const given = new Promise((resolve) => (give = resolve));
  let isLoaded = false;
  return {
    /** Takes the module that the page has compiled, of the one that it needs; null where it has none. */
    give,
    async load(needed) {
      const { init, engine, url } = engines[needed];
      if (isLoaded) return engine;
      // What could not be had is asked for again by whoever needs it, who is then told why.
      const module = (await given) ?? (await compiled(url));
      await init({ module_or_path: module });
      isLoaded = true;
      return engine;
    },
  };
}

/** The module of this address. */
export async function compiled(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} was answered with ${response.status}`);
  // A browser compiles while it fetches, if the server says what it is.
  if (response.headers.get("Content-Type")?.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}
