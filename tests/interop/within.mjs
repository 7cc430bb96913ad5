// A wait that ends, for the scripts here and those that drive browsers.

const PATIENCE = 30_000; // milliseconds

/** The same promise, which fails where it takes too long and says what was waited for. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${PATIENCE} ms`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
