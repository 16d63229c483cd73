// What goes wrong, as one class of errors with a code that stays the same; and how a class is one for all doors of the package.

/**
 * Makes `instanceof` say the same of a class in all doors of the package: each is a bundle with a copy of its own, which a program may
 * load side by side. `name` is what marks its instances.
 */
export function shared(Class, name) {
  const mark = Symbol.for(`anabranch ${name}`);
  Object.defineProperty(Class.prototype, mark, { value: true });
  const inherited = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(Class, Symbol.hasInstance, {
    value(it) {
      // A class made of it has instances of its own.
      return this === Class ? it?.[mark] === true : inherited.call(this, it);
    },
  });
}

/**
 * What the engine, or the package, could not do. `code` is one of the list in the guide; `message` says what happened and what to
 * do; some codes come with more, such as `currentVersion` of a `CONFLICT`, or the `path` of an `INVALID_VALUE`.
 */
export class AnabranchError extends Error {
  constructor(code, message, details) {
    super(message);
    this.name = "AnabranchError";
    this.code = code;
    if (details) Object.assign(this, details);
  }
}

shared(AnabranchError, "AnabranchError");
