// Runs a module's default export in this window, or in a worker of it.

export async function runIn(place, module, input, log) {
  if (place === "window") {
    const { default: run } = await import(module);
    return await run(input, log);
  }
  const { port, end } = start(place);
  try {
    return await new Promise((done, failed) => {
      port.onmessage = ({ data }) => {
        if ("line" in data) log(data.line);
        else if ("error" in data) failed(new Error(data.error));
        else done(data.value);
      };
      port.postMessage({ module: new URL(module, location.href).href, input });
    });
  } finally {
    end();
  }
}

function start(place) {
  const script = "/rig/worker.js";
  if (place === "worker") {
    const worker = new Worker(script, { type: "module" });
    return { port: worker, end: () => worker.terminate() };
  }
  if (place === "shared worker") {
    // Its name is its own, so that no two runs share it.
    const { port } = new SharedWorker(script, { type: "module", name: crypto.randomUUID() });
    port.start();
    return { port, end: () => port.close() };
  }
  throw new Error(`there is no place "${place}": window, worker or shared worker`);
}
