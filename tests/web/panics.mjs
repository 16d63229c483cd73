// What becomes of an instance that panics, wherever it does: every later call rejects with PANICKED, those under way do too,
// and its tasks, timers and sockets do nothing any more. A fresh instance beside it knows nothing of it.

const WAYS = [
  { way: "a panic in a task", fails: (web) => web.panicInATask(), said: /tests\/web\/src\/panics\.rs:\d+:\d+: on purpose, in a task/ },
  { way: "a panic in a timer's callback", fails: (web) => web.panicInATimer(), said: /on purpose, in a timer/ },
  { way: "a panic in an exported call", fails: async (web) => web.panicInACall(), said: /on purpose, in a call/, throws: true },
  { way: "a trap that no panic tells", fails: (web) => web.trapInATask(), said: /unreachable/ },
];

/**
 * Runs them all; `fresh` loads an instance of its own each time, and `port` is that of a peer that echoes.
 *
 * @returns the lines of a suite, by `log`
 */
export async function panics(fresh, port, log) {
  const other = await fresh();
  for (const { way, fails, said, throws = false } of WAYS) {
    await caught(`${way} poisons the instance, and no other`, log, async () => {
      const web = await fresh();
      await expectAlive(web);
      await web.live(port);
      while (web.counted().some((count) => count === 0)) await event();
      const underWay = web.never();
      const failed = await rejection(fails(web));
      // Whoever calls and traps at once is thrown the trap itself.
      if (throws) expect(failed instanceof WebAssembly.RuntimeError, `the call throws the trap: ${failed}`);
      else expectPanicked(failed);
      expectPanicked(await rejection(underWay));
      expectPanicked(await rejection(web.addLater(1, 2)));
      expectPanicked(await rejection((async () => web.add(1, 2))()));
      expect(said.test(web.panicked()), `it says what and where: ${web.panicked()}`);
      // Timers that would fire, and messages that would come, in the meantime: this side's own clock has gone on.
      const counted = web.counted().join();
      for (let events = 0; events < 50; events += 1) await event();
      expect(web.counted().join() === counted, "nothing of it runs any more");
      await expectAlive(other);
    });
  }
  await caught("a call that fails poisons nothing", log, async () => {
    const failed = await rejection(other.fails());
    expect(failed.message === "as it was told" && other.panicked() === undefined, String(failed));
    await expectAlive(other);
  });
}

async function caught(name, log, body) {
  try {
    await body();
    log(`ok      ${name}`);
  } catch (error) {
    log(`FAILED  ${name}: ${error?.stack ?? error}`);
  }
}

/** The host's next timer. */
const event = () => new Promise((fired) => setTimeout(fired, 1));

async function expectAlive(web) {
  expect(web.add(1, 2) === 3, "a call that ends at once");
  expect((await web.addLater(1, 2)) === 3, "a call that ends later");
  expect((await web.echo(web)) === web, "a call that gives what it was given");
}

function expectPanicked(error) {
  expect(error instanceof Error && error.code === "PANICKED", `the code is PANICKED: ${error?.stack ?? error}`);
  expect(/it panicked: /.test(error.message) && /load it anew/.test(error.message), error.message);
}

async function rejection(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`it ended with ${value}, and should have failed`);
}

function expect(holds, what) {
  if (!holds) throw new Error(`expected ${what}`);
}
