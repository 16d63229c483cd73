// The engine of a worker: fetched and compiled while tabs still agree on which of them needs it.

/** `load()` for an engine of this address, which begins at once. What could not be had is asked for again by the next who needs it. */
export function early(init, engine, url) {
  let module = compiled(url);
  module.catch(() => {}); // whoever needs it is told
  let isLoaded = false;
  return async function load() {
    if (isLoaded) return engine;
    const mine = module ?? compiled(url);
    module = undefined;
    await init({ module_or_path: await mine });
    isLoaded = true;
    return engine;
  };
}

async function compiled(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} was answered with ${response.status}`);
  // A browser compiles while it fetches, if the server says what it is.
  if (response.headers.get("Content-Type")?.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}
