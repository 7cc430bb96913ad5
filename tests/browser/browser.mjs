// Chromium for the scripts beside this file, driven by playwright-core from where `INSTALLED` says.

import { createRequire } from "node:module";

const { CHROMIUM, INSTALLED } = process.env;

/** What `tests/interop/setup` has installed. */
export const installed = createRequire(`${INSTALLED}/`);
const { chromium } = installed("playwright-core");

const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** A browser; `args` are added to its command line, and `without` are those of playwright that it shall not have. */
export const launch = ({ args = [], without = [] } = {}) =>
  chromium.launch({ executablePath: CHROMIUM, args: [...ARGUMENTS, ...args], ignoreDefaultArgs: without });

export const step = (text) => console.log(`ok - ${text}`);
