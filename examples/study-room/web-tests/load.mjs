// Loads a script of the page as the module that it is in a browser, whatever Node.js takes `.js` files for.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "study-room-page-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
cpSync(new URL("../web", import.meta.url), folder, { recursive: true });
writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));

export function load(name) {
  return import(pathToFileURL(join(folder, name)));
}
