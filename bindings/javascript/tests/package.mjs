// The package under test: as `cargo xtask npm` has built it, or the one that ANABRANCH_PACKAGE names.
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { join, resolve } from "node:path";

/** The repository's root. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The folder of the package. */
export const PACKAGE = resolve(process.env.ANABRANCH_PACKAGE ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "npm/anabranch"));
if (!existsSync(join(PACKAGE, "package.json"))) throw new Error(`there is no package in ${PACKAGE}: build it with \`cargo xtask npm\``);

/** A door of the package, by its file's name. */
export const door = (file) => import(pathToFileURL(join(PACKAGE, file)).href);

/** The modules that its doors are made of. */
export const PARTS = join(PACKAGE, "../parts");

/** One of them: it knows nothing of what a door has loaded. */
export const part = (file) => import(pathToFileURL(join(PARTS, file)).href);
