// Links over MQTT and WebSocket, with a real Mosquitto: what comes in at each quality goes out again, before the broker is
// killed and after it has come back.

import { load } from "./load.mjs";

/** In the place under test: sends each number that comes in out again, one larger, until it is 900 or more. */
export default async function house({ web, url, id }, log) {
  const { House } = await load(web);
  const house = await House.open(url, id);
  for (let life = 1; ; life += 1) {
    await house.online();
    log(`online ${life}`);
    const gone = house.offline();
    for (let count = 0; count < 3; count += 1) {
      for (const quality of [0, 1, 2]) {
        const value = await house.receive(quality);
        await house.send(quality, value + 1);
      }
    }
    if (life === 3) break;
    log(`answered ${life}`);
    await gone;
    log(`offline ${life}: ${house.status()[1]}`);
  }
  const [connects] = house.status();
  return { connects, aborted: await house.close() };
}

/** Why a house has no connection, when it knows. */
export async function refused({ House }, url) {
  const house = await House.open(url, "refused");
  let lastError;
  // It is counted, and no event tells of it.
  while ((lastError = house.status()[1]) === undefined) await new Promise((later) => setTimeout(later, 2));
  await house.close();
  return lastError;
}

/** Beside it: starts the broker, and sees to it that all happens. `run` runs this module's default export in its place. */
export async function overMosquitto(broker, run, id) {
  let failed;
  const failure = new Promise((_, fails) => (failed = fails));
  const lives = [];
  const log = (line) => {
    const [word, life] = line.split(/[ :]/);
    if (word === "online") {
      lives.push(flows(Number(life)).catch(failed));
    }
    if (word === "answered") answered().catch(failed);
    if (word === "offline" && !/closed|cut/.test(line)) failed(new Error(`it says why there is no connection: ${line}`));
  };
  let observer = await broker.observe("out/#");
  const flows = async (life) => {
    for (let count = 0; count < 3; count += 1) {
      for (const quality of [0, 1, 2]) {
        const value = 100 * life + 10 * count + quality;
        await broker.publish(`in/${quality}`, String(value), quality);
        await observer.seen(`out/${quality} ${value + 1}`);
      }
    }
  };
  const answered = async () => {
    await lives.at(-1);
    await broker.kill();
    await broker.startAgain();
    observer = await broker.observe("out/#");
  };
  const ended = await Promise.race([run({ url: broker.url, id }, log), failure]);
  await Promise.all(lives);
  if (lives.length !== 3) throw new Error(`it was online ${lives.length} times, and not 3`);
  if (ended.connects !== 3) throw new Error(`it connected ${ended.connects} times, and not 3`);
  if (ended.aborted !== "[]") throw new Error(`the shutdown aborted ${ended.aborted}`);
}
