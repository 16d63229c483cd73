// The package under test: as `cargo xtask npm` has built it, or the one that ANABRANCH_PACKAGE names.
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { join, resolve } from "node:path";

/** The repository's root. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The folder of the package. */
export const PACKAGE = resolve(process.env.ANABRANCH_PACKAGE ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "npm/anabranch"));
if (!existsSync(join(PACKAGE, "package.json"))) throw new Error(`there is no package in ${PACKAGE}: build it with \`cargo xtask npm\``);

/** A module of the package, by its file's name. */
export const part = (file) => import(pathToFileURL(join(PACKAGE, file)).href);
