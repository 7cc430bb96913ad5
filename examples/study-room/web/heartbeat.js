// The worker that keeps time for a page that the browser has put to sleep.

/** Calls `onBeat` at the period, in milliseconds, that is posted to it; 0 stops it. */
export function startWorker(onBeat) {
  const url = new URL("./heartbeat-worker.js", import.meta.url).href;
  // A worker's address is a script's: the content security policy knows this one policy for it.
  const policy = globalThis.trustedTypes?.createPolicy("heartbeat-worker", { createScriptURL: () => url });
  const worker = new Worker(policy ? policy.createScriptURL("") : url);
  worker.onmessage = onBeat;
  return worker;
}
