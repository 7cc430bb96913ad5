// Chromium for the scripts beside this file, driven by playwright-core from where `INSTALLED` says.

import { createRequire } from "node:module";

const { CHROMIUM, INSTALLED } = process.env;

/** What `tests/interop/setup` has installed. */
export const installed = createRequire(`${INSTALLED}/`);
const { chromium } = installed("playwright-core");

// A script that is ended from outside takes with it what it has started: its exit handlers run. Playwright closes its browser at
// once, so that what waits for a page fails and says where; whoever waits for something else ends here, before it is killed.
process.on("SIGTERM", () => setTimeout(() => process.exit(1), 10_000));

/** What every Chromium of ours is started with. */
export const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });

export const step = (text) => console.log(`ok - ${text}`);
