// The door: one card, to come in or, turned over, to make an account.

import * as api from "./api.js";
import { complain, complainOf, forgive } from "./page.js";

const TURN = 180; // milliseconds for each half of the turn

const SIDES = {
  enter: {
    title: "Study room",
    lead: "A quiet place to work together.",
    submit: "Enter",
    turn: "New here? Make an account",
    autocomplete: "current-password",
    act: api.logIn,
  },
  join: {
    title: "Make an account",
    lead: "A name that others see, and a password that only you know.",
    submit: "Make it and enter",
    turn: "I have an account",
    autocomplete: "new-password",
    act: api.signUp,
  },
};

const WHY = {
  banned: "An administrator has banned you from this study room.",
  "logged-out": "You were logged out elsewhere. Enter again to go on.",
  "token-expired": "Your session has ended. Enter again to go on.",
};

const form = document.querySelector("form");
const { name, password } = form.elements;
const [title, lead, submit, turn, show] = ["title", "lead", "submit", "turn", "show-password"].map(byId);
const query = new URLSearchParams(location.search);
let side = SIDES.enter;
let countdown;

complain(byId("why"), WHY[query.get("why")] ?? "");
// Browsers bring a page back as it was left, with its button off.
addEventListener("pageshow", () => ready());

turn.addEventListener("click", async () => {
  await turned(() => {
    side = side === SIDES.enter ? SIDES.join : SIDES.enter;
    title.textContent = side.title;
    lead.textContent = side.lead;
    turn.textContent = side.turn;
    password.autocomplete = side.autocomplete;
    for (const hint of form.querySelectorAll(".hint")) hint.hidden = side !== SIDES.join;
    complain(byId("why"), "");
    forgive(form);
    ready();
  });
  name.focus();
});

show.addEventListener("click", () => {
  const isShown = password.type === "text";
  password.type = isShown ? "password" : "text";
  show.textContent = isShown ? "Show" : "Hide";
  show.setAttribute("aria-label", isShown ? "Show the password" : "Hide the password");
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (submit.disabled) return;
  forgive(form);
  const missing = whatIsMissing();
  if (missing.length > 0) {
    fail(missing);
    return;
  }
  submit.disabled = true;
  try {
    await side.act(name.value.trim(), password.value);
    location.assign(nextPage());
  } catch (error) {
    ready();
    if (error.code === "slow-down") slowDown(error);
    else if (error.code === "wrong-credentials") fail([{ field: "password", message: error.message }]);
    else fail([error, ...error.others]);
  }
});

/** For whoever comes in. What is wrong with a new account the server knows best: it says all of it at once. */
function whatIsMissing() {
  if (side === SIDES.join) return [];
  const faults = [];
  if (name.value.trim() === "") faults.push({ field: "name", message: "Write your name." });
  if (password.value === "") faults.push({ field: "password", message: "Write your password." });
  return faults;
}

function fail(faults) {
  complainOf(form, faults, byId("general-error"));
}

/** The seconds run on the button: in an alert each of them would be read out. */
function slowDown({ message, retryAfter }) {
  complain(byId("general-error"), message);
  const until = performance.now() + retryAfter * 1000;
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left <= 0) {
      ready();
      complain(byId("general-error"), "");
      return;
    }
    submit.disabled = true;
    submit.textContent = `Slow down a little: ${left} s`;
  };
  tick();
  countdown = setInterval(tick, 1000);
}

function ready() {
  clearInterval(countdown);
  submit.disabled = false;
  submit.textContent = side.submit;
}

/** Turns the card, and changes it while it is seen from its edge. */
async function turned(change) {
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const half = (from, to, easing) => form.animate(
    { transform: [`perspective(80rem) rotateY(${from}deg)`, `perspective(80rem) rotateY(${to}deg)`] },
    { duration: isCalm ? 0 : TURN, easing, fill: "none" },
  ).finished;
  await half(0, 90, "ease-in");
  change();
  await half(-90, 0, "ease-out");
}

/** Only to a page of our own. */
function nextPage() {
  const next = query.get("next") ?? "";
  return /^\/(account|(rooms|messages)(\/[\w%-]+)?)$/.test(next) ? next : "/rooms";
}

function byId(id) {
  return document.getElementById(id);
}
