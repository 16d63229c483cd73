// WebSocket servers that the conformance suite's network cases connect to, on free ports of this machine.
import { once } from "node:events";
import { createServer } from "node:net";
import { WebSocketServer } from "ws";

/** What each does with a connection, in the order in which the suite is told their ports. */
const PEERS = [
  function echoes(socket) {
    socket.on("message", (bytes) => {
      // No more is taken until it has gone: a peer that is not read holds up who writes to it.
      socket.pause();
      socket.send(bytes, { binary: true }, () => socket.resume());
    });
  },
  function closes(socket) {
    socket.close(1000);
  },
  function neverReads(socket) {
    socket.pause();
  },
  function resets(socket) {
    socket.once("message", () => socket.terminate());
  },
  function sendsText(socket) {
    socket.send("text");
  },
  function sendsWithoutEnd(socket) {
    const bytes = Buffer.alloc(64 * 1024);
    const send = (error) => !error && socket.readyState === socket.OPEN && socket.send(bytes, send);
    send();
  },
];

/** Starts them. `ports` are theirs, with one where nobody listens in the fifth place. */
export async function startPeers() {
  const servers = PEERS.map((serve) => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    server.on("connection", (socket) => {
      socket.on("error", () => {}); // whoever was connected has gone
      serve(socket);
    });
    return server;
  });
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  ports.splice(4, 0, await portWithoutListener());
  return {
    ports,
    async end() {
      for (const server of servers) {
        for (const socket of server.clients) socket.terminate();
        server.close();
      }
      await Promise.all(servers.map((server) => once(server, "close")));
    },
  };
}

/** A port that was free a moment ago, and that nobody is given soon. */
async function portWithoutListener() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
