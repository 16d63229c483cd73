// Debian's Mosquitto with a WebSocket listener, on this machine only: started, killed, started again on the same ports, and
// watched by its own clients.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createServer as createTlsServer } from "node:tls";

/** Debian has servers where only an administrator's shell looks. */
const BROKER = existsSync("/usr/sbin/mosquitto") ? "/usr/sbin/mosquitto" : "mosquitto";

/** Starts one that can be connected to. */
export async function startMosquitto() {
  const folder = await mkdtemp(join(tmpdir(), "mosquitto-"));
  const [port, webPort] = [await freePort(), await freePort()];
  const config = [
    "user root", // whoever is not root stays who he is
    "per_listener_settings true",
    "log_dest stderr",
    "log_type all",
    "max_queued_messages 0",
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    `listener ${webPort} 127.0.0.1`,
    "socket_domain ipv4", // else this listener would take all addresses of the machine
    "protocol websockets",
    "allow_anonymous true",
  ];
  await writeFile(join(folder, "mosquitto.conf"), config.join("\n") + "\n");
  const broker = new Mosquitto(folder, port, webPort);
  await broker.startAgain();
  return broker;
}

class Mosquitto {
  /** What it has logged, of all its lives. */
  log = [];
  #folder;
  #process;
  #observers = new Set();
  #fronts = [];
  #told = () => {};

  constructor(folder, port, webPort) {
    this.#folder = folder;
    this.port = port;
    this.webPort = webPort;
  }

  /** Where a browser connects to. */
  get url() {
    return `ws://127.0.0.1:${this.webPort}/mqtt`;
  }

  /** Starts it again; it remembers nothing. */
  async startAgain() {
    const broker = spawn(BROKER, ["-c", join(this.#folder, "mosquitto.conf")], { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = broker;
    await new Promise((running, failed) => {
      broker.once("error", failed);
      broker.once("exit", (code) => failed(new Error(`mosquitto ended (${code}): ${this.log.slice(-20).join("\n")}`)));
      createInterface(broker.stderr).on("line", (line) => {
        this.log.push(line);
        this.#told();
        if (/ running/.test(line)) running();
      });
    });
    for (const port of [this.port, this.webPort]) {
      const taken = connect(port, "127.0.0.1");
      await once(taken, "connect");
      taken.destroy();
    }
  }

  /** Kills it: it cannot say a word. */
  async kill() {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  /** Starts TLS before its WebSocket listener, with a certificate that signs itself: `url` is that, and `ca` whom to trust. */
  async secured() {
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(this.#folder, name));
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", ["req", ...kind, ...subject, "-keyout", key, "-out", cert], { stdio: "pipe" });
    const ca = await readFile(cert, "utf8");
    const front = createTlsServer({ key: await readFile(key), cert: ca }, (near) => {
      const far = connect(this.webPort, "127.0.0.1");
      near.pipe(far).pipe(near);
      for (const [end, other] of [[near, far], [far, near]]) {
        end.on("error", () => other.destroy());
        end.on("close", () => other.destroy());
      }
    });
    front.on("tlsClientError", () => {}); // whoever does not trust it says so
    await once(front.listen(0, "127.0.0.1"), "listening");
    this.#fronts.push(front);
    return { url: `wss://127.0.0.1:${front.address().port}/mqtt`, ca };
  }

  /** Waits for a line of its log, from the `start`th on, that has this in it. */
  async logs(wanted, start = 0) {
    while (!this.log.slice(start).some((line) => line.includes(wanted))) await new Promise((more) => (this.#told = more));
  }

  /** Publishes a value by `mosquitto_pub`. */
  async publish(topic, payload, qos = 0) {
    const words = ["-h", "127.0.0.1", "-p", String(this.port), "-t", topic, "-m", payload, "-q", String(qos)];
    const [code] = await once(spawn("mosquitto_pub", words, { stdio: "inherit" }), "exit");
    if (code !== 0) throw new Error(`mosquitto_pub ended with ${code}`);
  }

  /** Subscribes by `mosquitto_sub`, which ends with the broker. `seen("TOPIC PAYLOAD")` waits for a value. */
  async observe(filter, qos = 2) {
    const [id, start] = [`observer-${(next += 37)}`, this.log.length];
    const words = ["-h", "127.0.0.1", "-p", String(this.port), "-i", id, "-t", filter, "-q", String(qos), "-v"];
    const client = spawn("mosquitto_sub", words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#observers.add(client);
    client.once("exit", () => this.#observers.delete(client));
    const lines = [];
    let told = () => {};
    createInterface(client.stdout).on("line", (line) => {
      lines.push(line);
      told();
    });
    const seen = async (wanted) => {
      while (!lines.some((line) => line === wanted)) await new Promise((more) => (told = more));
    };
    await this.logs(`Sending SUBACK to ${id}`, start);
    return { seen, lines };
  }

  /** Ends it and what watches it. */
  async end() {
    for (const client of this.#observers) client.kill("SIGKILL");
    for (const front of this.#fronts) front.close();
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    await rm(this.#folder, { recursive: true });
  }
}

let next = process.pid * 97;

/**
 * A port on which nothing listens, below those that the system gives to whoever connects: none of those may be taken while
 * the broker is down.
 */
async function freePort() {
  for (let tries = 0; tries < 1000; tries += 1) {
    next += 37;
    const port = 20_000 + (next % 12_000);
    const server = createServer();
    const free = await new Promise((told) => {
      server.once("error", () => told(false)).listen(port, "127.0.0.1", () => server.close(() => told(true)));
    });
    if (free) return port;
  }
  throw new Error("no port is free");
}
