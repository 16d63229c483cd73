// What is run in a window and in workers: the conformance suite, then panics.
import { load } from "./load.mjs";
import { panics } from "./panics.mjs";

let instances = 0;

/** An instance of its own: a module is another one when its URL is. */
const fresh = (web) => load(`${web}?${(instances += 1)}`);

export default async function suites({ web, ports }, log) {
  await (await fresh(web)).conformance(log, ports, false);
  await panics(() => fresh(web), ports[0], log);
}
