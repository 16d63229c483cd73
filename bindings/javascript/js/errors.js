// What goes wrong, as one class of errors with a code that stays the same.

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
