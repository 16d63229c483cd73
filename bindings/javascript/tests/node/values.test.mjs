// Values come back exactly as they went in, and what cannot be one is refused with its place.
import assert from "node:assert/strict";
import test from "node:test";
import { Temporal, folder, opened, part, refused } from "./rig.mjs";

/** What comes back where that is not what went in. */
const SAME = Symbol("the same");

const KEPT = [
  ["null", null],
  ["false and true", [false, true]],
  ["zero, and zero below zero", [0, -0]],
  ["what is no number, or has no end", [NaN, Infinity, -Infinity]],
  ["the smallest and the largest floats", [5e-324, -5e-324, Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE, 0.1, 1 / 3]],
  ["the edges of CBOR's heads", [23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, -24, -25, -256, -257, -65537, -4294967297]],
  ["the largest safe integers", [2 ** 53 - 1, -(2 ** 53 - 1)]],
  ["floats beyond the safe integers", [2 ** 53, 2 ** 53 + 2, -(2 ** 53), 2 ** 63, 1e300]],
  ["a BigInt that is a safe integer", 2n ** 53n - 1n, 2 ** 53 - 1],
  ["a BigInt of zero", 0n, 0],
  ["BigInts beyond the safe integers", [2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), -(2n ** 53n) - 1n]],
  ["the largest and the smallest integers of 64 bits", [2n ** 63n - 1n, -(2n ** 63n)]],
  ["text", ["", "a", "a".repeat(23), "b".repeat(24), "c".repeat(47), "d".repeat(48), "e".repeat(300), "f".repeat(70_000)]],
  ["text of Unicode", ["é", "ß".repeat(50), "日本語", "👩‍👩‍👧", "a\u0301", "\u0000", "\u2028", "\uffff", "𝄞".repeat(30)]],
  ["text that begins with a byte order mark", ["\ufeff", "\ufeffabc", "abc\ufeff", "\ufeff" + "x".repeat(100)]],
  [
    "names that differ in one character, and so may be remembered in one place",
    Object.fromEntries(Array.from("0123456789éß日", (one, at) => [[`a${one}bxc`, at], [`axb${one}c`, at], [`${one}`, at], [`${one.repeat(23)}`, at], [`${one.repeat(24)}`, at]]).flat()),
  ],
  ["bytes", [new Uint8Array(0), new Uint8Array([0, 255]), new Uint8Array(70_000).fill(7)]],
  ["bytes that are part of others", new Uint8Array([1, 2, 3, 4]).subarray(1, 3), new Uint8Array([2, 3])],
  ["an ArrayBuffer", new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2])],
  ["a Buffer of Node", Buffer.from("abc"), new Uint8Array([97, 98, 99])],
  ["vectors", [new Float32Array([0.5, -0.25, 1e30]), new Float64Array([0.1, NaN, 3])], [[0.5, -0.25, Math.fround(1e30)], [0.1, NaN, 3]]],
  ["Dates", [new Date(0), new Date(-1), new Date(1), new Date("0000-01-01T00:00:00Z"), new Date("9999-12-31T23:59:59.999Z")]],
  [
    "times that a Date cannot hold",
    [
      new Temporal("date", "2026-03-29"),
      new Temporal("time", "12:30:00+01:00"),
      new Temporal("localtime", "12:30:00.5"),
      new Temporal("datetime", "2026-03-29T13:37:00.123456789+02:00"),
      new Temporal("localdatetime", "2026-03-29T13:37:00"),
      new Temporal("duration", "P1Y2M3DT4H5M6.7S"),
    ],
  ],
  ["a moment in a zone is no Date", new Temporal("datetime", "2026-03-29T13:37:00+02:00")],
  ["lists", [[], [[]], [[[1]], 2]]],
  ["maps", [{}, { a: {} }, { "": 1, "a.b": 2, "a b": 3, é: 4 }]],
  ["the order of keys", { zebra: 1, apple: 2, mango: { y: 1, x: 2 }, Zebra: 3 }],
  ["keys that objects have of their own", { constructor: 1, toString: "x", hasOwnProperty: null, valueOf: [1] }],
  ["the key __proto__", JSON.parse('{"a": 1, "__proto__": {"polluted": true}, "b": {"__proto__": null}}')],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["what looks like an answer", { value: 1, timestamp: "x", versionId: "y", deleted: true, code: "KEY_NOT_FOUND" }],
];

for (const [name, value, expected = SAME] of KEPT) {
  test(`${name}: come back as they went in`, async (test) => {
    const db = await opened(test);
    const put = await db.put("values", "key", value);
    const got = await db.get("values", "key");
    const wanted = expected === SAME ? value : expected;
    assert.deepStrictEqual(put.value, wanted);
    assert.deepStrictEqual(got.value, wanted);
    assert.deepStrictEqual((await db.history("values", "key"))[0].value, wanted);
    assert.deepStrictEqual((await db.snapshotAt(got.timestamp))[0].value, wanted);
    assert.deepStrictEqual(order(got.value), order(wanted));
    // Through a batch, and through a file.
    await db.writeBatch([{ namespace: "values", key: "batch", value }]);
    assert.deepStrictEqual((await db.get("values", "batch")).value, wanted);
    const other = await opened(test);
    await other.import(await db.export());
    assert.deepStrictEqual((await other.get("values", "key")).value, wanted);
  });
}

/** All keys, in their order: which deepStrictEqual does not look at. */
function order(value) {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return null;
  return Object.entries(value).map(([key, of]) => [key, order(of)]);
}

test("what comes back is the caller's own", async (test) => {
  const db = await opened(test);
  const bytes = new Uint8Array([1, 2, 3]);
  await db.put("values", "key", { bytes, list: [1] });
  bytes[0] = 9;
  const { value } = await db.get("values", "key");
  value.bytes[1] = 9;
  value.list.push(2);
  assert.deepStrictEqual((await db.get("values", "key")).value, { bytes: new Uint8Array([1, 2, 3]), list: [1] });
  assert.equal({}.polluted, undefined);
});

test("64 lists in one another are kept, and one more is refused", async (test) => {
  const db = await opened(test);
  let deep = 1;
  for (let depth = 0; depth < 64; depth++) deep = [deep];
  await db.put("values", "deep", deep);
  assert.deepStrictEqual((await db.get("values", "deep")).value, deep);
  await refused("INVALID_VALUE", db.put("values", "deep", [deep]));
  await refused("INVALID_VALUE", db.put("values", "deep", { a: deep }));
});

const holdsItself = { rooms: [{ name: "a" }] };
holdsItself.rooms[0].up = holdsItself;
const list = [];
list.push([list]);
const half = { "\ud800": 1 };

const REFUSED = [
  ["undefined", undefined, ""],
  ["undefined in an object", { a: { b: undefined } }, "a.b"],
  ["undefined in a list", { rooms: [1, { name: undefined }] }, "rooms[1].name"],
  ["a hole in a list", [1, , 3], "[1]"], // eslint-disable-line no-sparse-arrays
  ["a function", { "two words": [() => 1] }, '["two words"][0]'],
  ["a symbol", [Symbol("s")], "[0]"],
  ["a Map", { map: new Map([[1, 2]]) }, "map"],
  ["a Set", [new Set()], "[0]"],
  ["a WeakMap", new WeakMap(), ""],
  ["a promise that was not waited for", { later: Promise.resolve(1) }, "later"],
  ["a regular expression", { r: /x/ }, "r"],
  ["an error", { e: new Error("x") }, "e"],
  ["a class's instance", { point: new (class Point { x = 1; })() }, "point"],
  ["a boxed number", { n: Object(1) }, "n"],
  ["a DataView", { v: new DataView(new ArrayBuffer(1)) }, "v"],
  ["an Int32Array", { v: new Int32Array(1) }, "v"],
  ["a Date that is no time", { at: new Date(NaN) }, "at"],
  ["a Date after the year 9999", { at: new Date(8.64e15) }, "at"],
  ["a Date before the year 0", { at: new Date(-8.64e15) }, "at"],
  ["an integer beyond 64 bits", { n: [2n ** 63n] }, "n[0]"],
  ["an integer below 64 bits", { n: -(2n ** 63n) - 1n }, "n"],
  ["half of a surrogate pair", { text: "a\ud83d" }, "text"],
  ["half of a surrogate pair in a key", half, '["\\ud800"]'],
  ["an object that holds itself", holdsItself, "rooms[0].up"],
  ["a list that holds itself", list, "[0][0]"],
];

for (const [name, value, path] of REFUSED) {
  test(`${name} is refused${path && `, at ${path}`}`, async (test) => {
    const db = await opened(test);
    const error = await refused("INVALID_VALUE", db.put("values", "key", value));
    assert.equal(error.path, path);
    assert.ok(path === "" || error.message.includes(path), error.message);
    const batch = await refused("INVALID_VALUE", db.writeBatch([{ namespace: "v", key: "k", value: 1 }, { namespace: "v", key: "l", value: value === undefined ? [value] : value }]));
    assert.ok(batch.message.startsWith("writes[1]: "), batch.message);
    assert.deepStrictEqual(await db.listNamespaces(), [], "nothing is written");
    await db.put("values", "key", "still works");
    assert.equal((await db.get("values", "key")).value, "still works");
  });
}

test("a value's getter may use the database, and may throw", async (test) => {
  const db = await opened(test);
  let inner;
  await db.put("values", "outer", { get now() { inner = db.put("values", "inner", 2); return 1; } });
  await inner;
  assert.deepStrictEqual((await db.get("values", "outer")).value, { now: 1 });
  assert.equal((await db.get("values", "inner")).value, 2);
  const thrown = new Error("mine");
  const error = await refused("INVALID_VALUE", db.put("values", "outer", { get now() { throw thrown; } }));
  assert.equal(error.cause, thrown);
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  await refused("INVALID_VALUE", db.put("values", "outer", proxy));
  assert.deepStrictEqual((await db.get("values", "outer")).value, { now: 1 });
});

test("a Temporal of no kind is refused, as is one whose text says nothing", async (test) => {
  const db = await opened(test);
  await refused("INVALID_VALUE", () => new Temporal("week", "2026-W01"));
  for (const kind of ["date", "time", "localtime", "datetime", "localdatetime", "duration"]) {
    await refused("INVALID_VALUE", db.put("values", "key", new Temporal(kind, "nonsense")));
  }
});

test("a value of up to 64 MiB is kept, and a larger one is refused before memory is taken for it", async (test) => {
  const db = await opened(test);
  await refused("VALUE_TOO_LARGE", db.put("values", "huge", "x".repeat(400 << 20)));
  await refused("VALUE_TOO_LARGE", db.put("values", "huge", new Uint8Array(65 << 20)));
  await refused("VALUE_TOO_LARGE", db.put("values", "huge", new Array(9 << 20).fill(0.5)));
  await refused("VALUE_TOO_LARGE", db.writeBatch([{ namespace: "values", key: "huge", value: "ß".repeat(40 << 20) }]));
  await db.put("values", "large", new Uint8Array((64 << 20) - 5));
  assert.equal((await db.get("values", "large")).value.length, (64 << 20) - 5);
});

test("random values, lists and maps come back as they went in", async (test) => {
  const { Anabranch } = await part("node.js");
  const { Reader, Temporal, Writer } = await part("values.js");
  const db = await opened(test, { storage: "file", name: folder(test) }, Anabranch);
  const random = seeded(Number(process.env.SEED ?? 20261130));
  for (let round = 0; round < 300; round++) {
    const value = Array.from({ length: 4 }, () => made(random, 4, Temporal));
    const where = `round ${round}`;
    // JavaScript's own two ways by themselves, and through the engine.
    assert.deepStrictEqual(new Reader(new Writer().value(value).take()).value(), value, where);
    await db.put("random", `key ${round % 7}`, value);
    const got = (await db.get("random", `key ${round % 7}`)).value;
    assert.deepStrictEqual(got, value, where);
    assert.deepStrictEqual(order(got), order(value), where);
  }
  assert.deepStrictEqual((await db.verify()).damages, []);
});

/** Numbers from 0 to 1, the same for each seed (mulberry32). */
function seeded(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function made(random, depth, Temporal) {
  const below = (n) => Math.floor(random() * n);
  const text = () => String.fromCodePoint(...Array.from({ length: below(3) === 0 ? below(120) : below(8) }, () => (below(4) ? 32 + below(95) : below(2) ? 0x80 + below(0x700) : 0x10000 + below(0x10000))));
  const kinds = [
    () => null,
    () => random() < 0.5,
    () => below(2 ** 31) - 2 ** 30,
    () => Math.floor((random() - 0.5) * 2 ** 54) || 1,
    () => (random() - 0.5) * 10 ** (below(600) - 300),
    () => [-0, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53)][below(6)],
    () => {
      const integer = BigInt.asIntN(64, (BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32)));
      return integer > 2n ** 53n || integer < -(2n ** 53n) ? integer : 2n ** 60n;
    },
    text,
    () => Uint8Array.from({ length: below(40) }, () => below(256)),
    () => new Date(below(2 ** 42) - 2 ** 41),
    () => new Temporal("date", new Date(below(2 ** 42)).toISOString().slice(0, 10)),
    () => new Temporal("datetime", new Date(below(2 ** 42)).toISOString().replace("Z", "+01:00").replace(".000", "").replace(/(\.\d+?)0+\+/, "$1+")),
    () => Array.from({ length: below(6) }, () => made(random, depth - 1, Temporal)),
    () => Object.fromEntries(Array.from({ length: below(6) }, () => [text(), made(random, depth - 1, Temporal)])),
  ];
  return kinds[below(depth === 0 ? kinds.length - 2 : kinds.length)]();
}
