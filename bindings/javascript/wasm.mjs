// How a WebAssembly module is laid out, as far as what makes the engines smaller has to know it.

/** The kinds of sections that are looked into. */
const NAMES = 0;
export const IMPORTS = 2;
export const EXPORTS = 7;
export const CODE = 10;

/** The sections in their order: of which kind each is, where its content begins and ends, and where the number stands that says how long it is. */
function* sections(bytes) {
  for (let place = 8; place < bytes.length; ) {
    const [length, at] = number(bytes, place + 1);
    yield { kind: bytes[place], begins: place, after: place + 1, at, end: at + length };
    place = at + length;
  }
}

/** The only section of its kind. */
export function section(bytes, kind) {
  for (const found of sections(bytes)) if (found.kind === kind) return found;
  throw new Error(`the engine has no section of kind ${kind}`);
}

/** A number of as many bytes as it takes, and where it ends. */
export function number(bytes, place) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[place++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, place];
  }
}

/** Where the text that stands here ends. */
export function skipped(bytes, place) {
  const [length, at] = number(bytes, place);
  return at + length;
}

/** The text that stands here. */
export function text(bytes, place) {
  return bytes.toString("utf8", number(bytes, place)[1], skipped(bytes, place));
}

export function leb(value) {
  const written = [];
  for (; value >= 0x80; value >>>= 7) written.push((value & 0x7f) | 0x80);
  return Buffer.from([...written, value]);
}

/** The imports: where each begins, where its kind stands, and where it ends. No engine imports anything but functions. */
export function* imports(bytes) {
  const { at, end } = section(bytes, IMPORTS);
  let [count, from] = number(bytes, at);
  for (; count > 0; count--) {
    const name = skipped(bytes, from);
    const kind = skipped(bytes, name);
    if (bytes[kind] !== 0) throw new Error(`an engine imports something that is no function: let wasm.mjs know of kind ${bytes[kind]}`);
    const [, ends] = number(bytes, kind + 1);
    yield { from, name, kind, ends };
    from = ends;
  }
  if (from !== end) throw new Error("the engine's imports end somewhere else than they say");
}

/** The exports: where each begins, where its kind stands, and where it ends. */
export function* exported(bytes) {
  const { at, end } = section(bytes, EXPORTS);
  let [count, from] = number(bytes, at);
  for (; count > 0; count--) {
    const kind = skipped(bytes, from);
    const [, ends] = number(bytes, kind + 1);
    yield { from, kind, ends };
    from = ends;
  }
  if (from !== end) throw new Error("the engine's exports end somewhere else than they say");
}

/** The module with another section of this kind, of these items. */
export function withSection(bytes, kind, items) {
  const content = Buffer.concat([leb(items.length), ...items]);
  const { after, end } = section(bytes, kind);
  return Buffer.concat([bytes.subarray(0, after), leb(content.length), content, bytes.subarray(end)]);
}

/** Whether a section is the one with names in it. */
function isNames(bytes, { kind, at }) {
  return kind === NAMES && text(bytes, at) === "name";
}

/** Of the names, those of functions. */
const FUNCTIONS = 1;

/** The names of functions, by their numbers. */
export function functionNames(bytes) {
  const found = new Map();
  const all = [...sections(bytes)].find((one) => isNames(bytes, one));
  if (all === undefined) return found;
  for (let place = skipped(bytes, all.at); place < all.end; ) {
    const [length, at] = number(bytes, place + 1);
    if (bytes[place] === FUNCTIONS) {
      let [count, from] = number(bytes, at);
      for (; count > 0; count--) {
        const [index, begins] = number(bytes, from);
        from = skipped(bytes, begins);
        found.set(index, text(bytes, begins));
      }
    }
    place = at + length;
  }
  return found;
}

/** The module with these names of functions, a list of [number, name], and no others. */
export function withFunctionNames(bytes, names) {
  const entries = names.flatMap(([index, name]) => [leb(index), leb(Buffer.byteLength(name)), Buffer.from(name)]);
  const functions = Buffer.concat([leb(names.length), ...entries]);
  const title = Buffer.from("name");
  const content = Buffer.concat([leb(title.length), title, Buffer.from([FUNCTIONS]), leb(functions.length), functions]);
  const kept = [...sections(bytes)].filter((one) => !isNames(bytes, one)).map(({ begins, end }) => bytes.subarray(begins, end));
  return Buffer.concat([bytes.subarray(0, 8), ...kept, Buffer.from([NAMES]), leb(content.length), content]);
}
