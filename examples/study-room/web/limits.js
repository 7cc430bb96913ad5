// What the server takes as a message, so that the page can say what to do before it asks.

const LONGEST = 4000; // characters
// Refusals that the same message would meet again: it has to be changed.
const FINAL = new Set(["bad-text", "bad-key", "key-used"]);

/** How many characters are left, as the server counts them (code points, not JavaScript's units); below 0 there are too many. */
export function charactersLeft(text) {
  return LONGEST - [...text].length;
}

/** Why a message cannot be sent as it is, `{ code, message }`; undefined where it can. */
export function faultOf(text) {
  const left = charactersLeft(text);
  if (left >= 0) return undefined;
  const [most, has] = [LONGEST, LONGEST - left].map((number) => number.toLocaleString("en"));
  return {
    code: "bad-text",
    message: `A message has at most ${most} characters, and this one has ${has}. Shorten it, or send it in parts.`,
  };
}

/** Whether sending the same message again is in vain. */
export function isFinal({ code }) {
  return FINAL.has(code);
}
