// The package as it is published, in fresh projects: Node, Vite, TypeScript, workerd, and pages with no build step; and the examples.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { after } from "node:test";
import { PACKAGE, ROOT } from "../package.mjs";
import { startRig } from "../../../../tests/browser/rig.mjs";

const HERE = join(ROOT, "bindings/javascript/tests/projects");
const all = mkdtempSync(join(tmpdir(), "anabranch-projects-"));
after(() => rmSync(all, { recursive: true, force: true }));

const run = (program, words, cwd, options = {}) => execFileSync(program, words, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });

/** The tarball, as `npm publish` would send it. */
const tarball = join(all, JSON.parse(run("npm", ["pack", "--json", "--pack-destination", all], PACKAGE))[0].filename);

/** A project in a folder of its own that has installed the tarball, with nothing from anywhere else. */
function project(name, files) {
  const folder = join(all, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  run("npm", ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", tarball], folder);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return folder;
}

/** The programs of a page of Markdown, in a language. */
function programs(page, language) {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, program]) => program);
}

const README = "bindings/javascript/README.md";

test("the tarball holds the package and nothing else", () => {
  const listed = run("tar", ["-tzf", tarball], all).trim().split("\n").map((name) => name.replace(/^package\//, "")).sort();
  // What it depends on is installed beside it, for the tests.
  assert.deepEqual(listed, readdirSync(PACKAGE).filter((name) => name !== "node_modules").sort());
  for (const name of ["index.js", "node.js", "edge.js", "worker.js", "index.d.ts", "engine_bg.wasm", "engine-store_bg.wasm", "engine-node_bg.wasm", "README.md"]) {
    assert.ok(listed.includes(name), name);
  }
});

test("a fresh Node project runs what the README shows", () => {
  const [first, ...others] = programs(README, "js");
  const folder = project("node", { "first.mjs": first });
  const said = run("node", ["first.mjs"], folder);
  assert.match(said, /\{ celsius: 22 \}\n\{ celsius: 21.5 \}\n/);
  assert.equal(said.trim().split("\n").length, 6, said);
  others.forEach((program, at) => {
    writeFileSync(join(folder, `other-${at}.mjs`), program);
    run("node", [`other-${at}.mjs`], folder);
  });
});

test("examples/node counts its runs, through the versions of a file", () => {
  const folder = project("visits", {});
  cpSync(join(ROOT, "examples/node/visits.mjs"), join(folder, "visits.mjs"));
  for (let visit = 1; visit <= 3; visit++) {
    const lines = run("node", ["visits.mjs", "counted"], folder).trim().split("\n");
    assert.equal(lines[0], `visit ${visit}`);
    assert.equal(lines.length, 1 + visit);
  }
});

test("the types hold what they say, in the strictest mode, and the examples keep to them", () => {
  const folder = project("types", {});
  const examples = ["node/visits.mjs", "cloudflare-worker/worker.js", "web/time-travel/time-travel.js"];
  for (const example of examples) cpSync(join(ROOT, "examples", example), join(folder, example), { recursive: true });
  // The program within a page.
  const [, script] = readFileSync(join(ROOT, "examples/web/quickstart.html"), "utf8").match(/<script type="module">\n(.*?)<\/script>/s);
  writeFileSync(join(folder, "web/quickstart.js"), script);
  // Where those find the package that has no build step.
  symlinkSync(join(folder, "node_modules/anabranch"), join(folder, "web/anabranch"));
  cpSync(join(HERE, "types.ts"), join(folder, "types.ts"));
  // What is not ours: a page's elements, and what Node has.
  writeFileSync(join(folder, "host.d.ts"), "interface ParentNode { querySelector(selector: string): any }\ndeclare const process: { argv: string[] };\n");
  const compilerOptions = { strict: true, noEmit: true, allowJs: true, checkJs: true, target: "es2022", module: "nodenext", lib: ["es2022", "dom", "dom.iterable", "dom.asynciterable", "esnext.disposable"], types: [], skipLibCheck: false, exactOptionalPropertyTypes: true };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["host.d.ts", "types.ts", "web/quickstart.js", ...examples] }));
  try {
    run("node", [join(ROOT, "bindings/javascript/node_modules/typescript/bin/tsc"), "-p", "."], folder);
  } catch (error) {
    assert.fail(error.stdout);
  }
});

/** A browser that is served `roots`; it ends with the test. */
async function browser(test, roots) {
  const rig = await startRig({ roots });
  test.after(() => rig.end());
  return rig;
}

test("a fresh Vite project is built, and served while it is worked on, with no configuration; its page keeps a database in private files", async (test) => {
  const folder = project("vite", {
    "index.html": '<!doctype html><p id="said"></p><script type="module" src="/main.js"></script>',
    "main.js": `
      import { Anabranch } from "anabranch";
      const [memory, kept] = [await Anabranch.open(), await Anabranch.open({ storage: "opfs" })];
      await memory.put("n", "k", 1);
      await kept.put("n", "k", (await kept.get("n", "k").catch(() => ({ value: 0 }))).value + 1);
      const said = [memory.storage, (await memory.get("n", "k")).value, kept.storage, (await kept.get("n", "k")).value];
      document.querySelector("#said").textContent = said.join(" ");
    `,
  });
  symlinkSync(join(HERE, "node_modules/vite"), join(folder, "node_modules/vite"));
  run("node", [join(HERE, "node_modules/vite/bin/vite.js"), "build"], folder);
  const rig = await browser(test, { "/": join(folder, "dist") });
  const visited = async (page) => {
    for (const visit of [1, 2]) {
      await page.waitForFunction(() => document.querySelector("#said").textContent !== "");
      assert.equal(await page.textContent("#said"), `memory 1 opfs ${visit}`);
      if (visit === 1) await page.reload();
    }
  };
  await visited(await rig.page("/"));

  // Its server for development, which serves each module by itself, and what is installed in pieces of its own.
  const vite = spawn("node", [join(HERE, "node_modules/vite/bin/vite.js"), "--host", "127.0.0.1", "--port", "0"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, NO_COLOR: "1" } });
  test.after(() => vite.kill("SIGKILL"));
  const lines = createInterface({ input: vite.stdout });
  const address = new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const [found] = line.match(/http:\/\/127\.0\.0\.1:\d+\//) ?? [];
      if (found !== undefined) resolve(found);
    });
    lines.once("close", () => reject(new Error("vite has ended")));
  });
  const page = await (await rig.context()).newPage();
  const asked = [];
  page.on("response", (response) => asked.push([response.status(), new URL(response.url()).pathname]));
  await page.goto(await address);
  await visited(page);
  for (const part of ["worker.js", "engine-store_bg.wasm"]) {
    assert.ok(asked.some(([status, path]) => status < 400 && path.endsWith(part)), `${part} was served: ${JSON.stringify(asked)}`);
  }
  rig.expectNoErrors();
});

test("the pages of examples/web run with no build step, and know what was when they are loaded again", async (test) => {
  const rig = await browser(test, { "/": join(ROOT, "examples/web"), "/anabranch/": PACKAGE });
  const context = await rig.context();
  const page = await rig.page("/quickstart.html", context);
  await page.waitForFunction(() => !document.querySelector("#note").disabled);
  await page.locator("#note").pressSequentially("abc");
  await page.waitForFunction(() => document.querySelectorAll("#versions li").length === 3);
  assert.equal(await page.textContent("#where"), "kept in: opfs");
  const other = await rig.page("/quickstart.html", context);
  await other.waitForFunction(() => document.querySelectorAll("#versions li").length === 3);
  assert.equal(await other.inputValue("#note"), "abc");
  await page.close();
  await other.reload();
  await other.waitForFunction(() => document.querySelectorAll("#versions li").length === 3);

  const travel = await rig.page("/time-travel/", context);
  const places = (count) => travel.waitForFunction((count) => Number(document.querySelector("#time").max) === count - 1 && document.querySelector("#moment").textContent !== "", count);
  for (let measured = 1; measured <= 4; measured++) {
    await travel.click("#measure");
    await places(measured);
  }
  await travel.locator("#time").fill("1");
  await travel.waitForFunction(() => document.querySelector("#value").textContent === "20.5 °C, 1 in the room");
  await travel.waitForFunction(() => document.querySelector("#changes").textContent.includes("celsius: 20 → 20.5"));
  await travel.reload();
  await places(4);
  await travel.waitForFunction(() => document.querySelector("#value").textContent === "21.5 °C, 0 in the room");
  rig.expectNoErrors();
});

test("examples/cloudflare-worker runs in workerd, which compiles no WebAssembly", async (test) => {
  const folder = project("workerd", {});
  cpSync(join(ROOT, "examples/cloudflare-worker/worker.js"), join(folder, "worker.js"));
  const its = join(folder, "node_modules/anabranch");
  // What a bundler for workers follows from "anabranch" by the condition `workerd`.
  const door = JSON.parse(readFileSync(join(its, "package.json"), "utf8")).exports["."].workerd;
  assert.equal(door, "./edge.js");
  const embedded = (name, file, kind = "esModule") => `(name = "${name}", ${kind} = embed "node_modules/anabranch/${file}")`;
  writeFileSync(
    join(folder, "workerd.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
     const config :Workerd.Config = (
       services = [(name = "main", worker = .worker)],
       sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
     );
     const worker :Workerd.Worker = (
       compatibilityDate = "2026-01-01",
       modules = [
         (name = "worker.js", esModule = embed "worker.js"),
         ${embedded("anabranch", "edge.js")},
         ${embedded("engine_bg.wasm", "engine_bg.wasm", "wasm")},
       ],
     );`,
  );
  const workerd = spawn(join(HERE, `node_modules/@cloudflare/workerd-linux-${process.arch === "arm64" ? "arm64" : "64"}/bin/workerd`), ["serve", "--control-fd=3", "workerd.capnp"], { cwd: folder, stdio: ["ignore", "inherit", "inherit", "pipe"] });
  test.after(() => workerd.kill("SIGKILL"));
  const heard = createInterface({ input: workerd.stdio[3] });
  const [line] = await Promise.race([once(heard, "line"), once(workerd, "exit").then(() => assert.fail("workerd has ended"))]);
  const { port } = JSON.parse(line);
  const asked = async (path, options) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, options);
    return [response.status, await response.json()];
  };
  const put = async (celsius) => (await asked("/room/kitchen", { method: "PUT", body: JSON.stringify({ celsius }) }))[1];
  const [one, two] = [await put(21), await put(22)];
  assert.equal(two.previousVersion, one.versionId);
  assert.deepEqual(await asked("/room/kitchen"), [200, two]);
  assert.deepEqual(await asked(`/room/kitchen?at=${one.timestamp}`), [200, one]);
  assert.deepEqual(await asked("/room/kitchen/history"), [200, [two, one]]);
  const [status, { code }] = await asked("/room/cellar");
  assert.deepEqual([status, code], [404, "KEY_NOT_FOUND"]);
});
