// Counts tests and writes a line for each, as the conformance suite does; the last line is `N passed, N failed`.

/** How long a test may take on a busy machine. One that waits so long has failed. */
const PATIENCE = 60_000;

export class Tally {
  passed = 0;
  failed = 0;

  /** Runs a test whose name is a sentence. It fails by throwing. */
  async test(name, body, patience = PATIENCE) {
    let timer;
    const late = new Promise((_, fails) => {
      timer = setTimeout(() => fails(new Error(`it has not ended within ${patience / 1000} s`)), patience);
    });
    try {
      await Promise.race([body(), late]);
      this.passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAILED  ${name}: ${error?.stack ?? error}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Counts a line that a suite in another place has written: `ok      NAME` or `FAILED  NAME: WHY`. Others are shown, but for
   * its own last line: what it says is counted here.
   */
  line(line) {
    if (/^\d+ passed, \d+ failed$/.test(line)) return;
    console.log(line);
    if (line.startsWith("ok  ")) this.passed += 1;
    else if (line.startsWith("FAILED  ")) this.failed += 1;
  }

  /** Writes the last line, and sets how the process will end. */
  finish() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed === 0 && this.passed > 0 ? 0 : 1;
  }
}
