// What is run in a service worker, which may not import anything later: the conformance suite.
import load, { conformance } from "/glued/anabranch_web_tests.js";

self.onmessage = (event) => {
  const { ports, port } = event.data;
  const run = async () => {
    try {
      await load({ module_or_path: "/glued/anabranch_web_tests_bg.wasm" });
      await conformance((line) => port.postMessage({ line }), ports, false);
      port.postMessage({ end: true });
    } catch (error) {
      port.postMessage({ error: String(error?.stack ?? error) });
    }
  };
  event.waitUntil(run());
};
