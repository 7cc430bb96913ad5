// Loads a script of the page as the module that it is in a browser, whatever Node.js takes `.js` files for.

import { readFileSync } from "node:fs";

export function load(name) {
  const source = readFileSync(new URL(`../web/${name}`, import.meta.url));
  return import(`data:text/javascript;base64,${source.toString("base64")}`);
}
