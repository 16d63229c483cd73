// How a WebAssembly module is laid out, as far as what makes the engines smaller has to know it.

/** The kinds of sections that are looked into. */
export const NAMES = 0;
export const IMPORTS = 2;
export const CODE = 10;

/** The sections in their order: of which kind each is, where its content begins and ends, and where the number stands that says how long it is. */
export function* sections(bytes) {
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
