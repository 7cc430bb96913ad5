// The door: one card, to come in or to make an account.

import * as api from "./api.js";
import { complain } from "./page.js";

const form = document.querySelector("form");
const [title, submit, turn, lead] = ["#title", "#submit", "#turn", "#lead"].map((id) => document.querySelector(id));
const general = document.querySelector("#general-error");
const query = new URLSearchParams(location.search);
let isNew = false;

if (query.get("why") === "logged-out") complain(document.querySelector("#why"), "You were logged out elsewhere. Log in to go on.");

turn.addEventListener("click", () => {
  isNew = !isNew;
  title.textContent = isNew ? "Make an account" : "Study room";
  lead.textContent = isNew ? "A name that others see, and a password of at least 8 characters." : "A quiet place to work together.";
  submit.textContent = isNew ? "Make it and enter" : "Enter";
  turn.textContent = isNew ? "I have an account" : "New here? Make an account";
  form.password.autocomplete = isNew ? "new-password" : "current-password";
  clearErrors();
  form.elements.name.focus();
});

document.querySelector("#show-password").addEventListener("click", ({ currentTarget }) => {
  const shown = form.password.type === "text";
  form.password.type = shown ? "password" : "text";
  currentTarget.textContent = shown ? "Show" : "Hide";
  currentTarget.setAttribute("aria-pressed", String(!shown));
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors();
  const name = form.elements.name.value.trim();
  const password = form.password.value;
  if (name === "") return fail("name", "Write your name.");
  if (password === "") return fail("password", "Write your password.");
  submit.disabled = true;
  try {
    await (isNew ? api.signUp(name, password) : api.logIn(name, password));
    location.assign(nextPage());
  } catch (error) {
    submit.disabled = false;
    fail(error.field, error.message);
  }
  return undefined;
});

/** Only to a page of our own. */
function nextPage() {
  const next = query.get("next") ?? "";
  return /^\/rooms(\/[\w%-]+)?$/.test(next) ? next : "/rooms";
}

function fail(field, message) {
  const input = form.elements[field];
  if (input instanceof HTMLInputElement) {
    complain(document.querySelector(`#${field}-error`), message);
    input.setAttribute("aria-invalid", "true");
    input.focus();
  } else {
    complain(general, message);
    form.password.focus();
  }
}

function clearErrors() {
  complain(general, "");
  for (const field of ["name", "password"]) {
    complain(document.querySelector(`#${field}-error`), "");
    form.elements[field].removeAttribute("aria-invalid");
  }
}
