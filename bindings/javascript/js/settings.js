// What a database is opened with beside its storage: its records, their links, and the brokers, as the engine reads them.

import { AnabranchError } from "./errors.js";
import { Writer } from "./values.js";

const RECORD = ["buffer", "capacity", "consumers", "shared", "keep", "from", "to"];
const LINK = ["address", "format", "qos", "retain"];
const CONNECTOR = ["url", "name", "clientId", "user", "password"];
const BUFFERS = ["spmc-ring", "single-latest", "mailbox", "queue"];

/** The settings' bytes; null where nothing is declared. */
export function settingsOf({ records, connectors }) {
  if (records === undefined && connectors === undefined) return null;
  const call = new Writer();
  const declared = Object.entries(plain(records ?? {}, "records"));
  call.list(declared.length);
  for (const [name, settings] of declared) record(call, name, plain(settings, `records.${name}`));
  const brokers = connectors ?? [];
  if (!Array.isArray(brokers)) throw wrong("connectors", "a list of { url } is needed");
  call.list(brokers.length);
  brokers.forEach((settings, at) => connector(call, plain(settings, `connectors[${at}]`), `connectors[${at}]`));
  return call.take();
}

function record(call, name, settings) {
  const where = `records.${name}`;
  known(settings, RECORD, where);
  const { buffer = "spmc-ring", capacity, consumers, shared = false, keep, from, to } = settings;
  if (!BUFFERS.includes(buffer)) throw wrong(`${where}.buffer`, `there is no ${JSON.stringify(buffer)}; there are ${BUFFERS.join(", ")}`);
  call.text(name).text(buffer);
  number(call, capacity, `${where}.capacity`);
  number(call, consumers, `${where}.consumers`);
  call.flag(flag(shared, `${where}.shared`));
  const kept = typeof keep === "string" ? { namespace: keep } : keep === undefined ? {} : plain(keep, `${where}.keep`);
  known(kept, ["namespace", "key"], `${where}.keep`);
  if (keep !== undefined && kept.namespace === undefined) throw wrong(`${where}.keep`, "a namespace is needed");
  text(call, kept.namespace, `${where}.keep.namespace`);
  text(call, kept.key, `${where}.keep.key`);
  const links = [...linked(from, `${where}.from`), ...linked(to, `${where}.to`)];
  call.list(links.length);
  for (const [at, settings] of links) {
    known(settings, LINK, at);
    const { address, format, qos, retain } = settings;
    if (typeof address !== "string") throw wrong(at, "an address is needed, as mqtt://plant/{device}/temperature");
    call.flag(at.startsWith(`${where}.from`)).text(address);
    text(call, format, `${at}.format`);
    number(call, qos, `${at}.qos`);
    if (retain === undefined) call.null();
    else call.flag(flag(retain, `${at}.retain`));
  }
}

/** A link's address, or its settings, or several of those. */
function linked(links, at) {
  if (links === undefined) return [];
  const several = Array.isArray(links) ? links.map((link, number) => [`${at}[${number}]`, link]) : [[at, links]];
  return several.map(([at, link]) => [at, typeof link === "string" ? { address: link } : plain(link, at)]);
}

function connector(call, settings, where) {
  known(settings, CONNECTOR, where);
  if (typeof settings.url !== "string") throw wrong(`${where}.url`, "text is needed, as ws://127.0.0.1:9001/mqtt");
  call.text(settings.url);
  for (const key of CONNECTOR.slice(1)) text(call, settings[key], `${where}.${key}`);
}

function known(settings, keys, where) {
  for (const key of Object.keys(settings)) {
    if (!keys.includes(key)) throw wrong(where, `it has no setting "${key}"; there are ${keys.join(", ")}`);
  }
}

function plain(value, where) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(where, "an object is needed");
  return value;
}

function text(call, value, where) {
  if (value === undefined) return call.null();
  if (typeof value !== "string") throw wrong(where, "text is needed");
  return call.text(value);
}

function number(call, value, where) {
  if (value === undefined) return call.null();
  if (!Number.isSafeInteger(value) || value < 0) throw wrong(where, "a whole number of 0 or more is needed");
  return call.count(value);
}

function flag(value, where) {
  if (typeof value !== "boolean") throw wrong(where, "true or false is needed");
  return value;
}

function wrong(where, why) {
  return new AnabranchError("INVALID_ARGUMENT", `${where}: ${why}`);
}
