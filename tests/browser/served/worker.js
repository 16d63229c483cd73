// The other end of `places.js`, in a dedicated or a shared worker: runs the module that it is told of.

const serve = (port) => {
  port.onmessage = async ({ data: { module, input } }) => {
    try {
      const { default: run } = await import(module);
      port.postMessage({ value: await run(input, (line) => port.postMessage({ line })) });
    } catch (error) {
      port.postMessage({ error: String(error?.stack ?? error) });
    }
  };
};

if ("onconnect" in self) self.onconnect = ({ ports: [port] }) => serve(port);
else serve(self);
