// A record: a named place that values pass through, declared when the database is opened.

/** A record's two ends. */
export class Record {
  #name;
  #ends;

  constructor(name, ends) {
    this.#name = name;
    this.#ends = ends;
  }

  get name() {
    return this.#name;
  }

  /** Puts a value in, and resolves to its number in the record. It never waits; a queue without room rejects with `QUEUE_FULL`. */
  async produce(value) {
    return this.#ends.produce(value);
  }

  /** Follows it from now on: iterate over the values, or be called with each. */
  consume(callback) {
    return this.#ends.consume(callback);
  }
}
