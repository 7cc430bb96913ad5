// The account: where I am logged in, out here, there, and everywhere; for administrators who is banned.

import * as api from "./api.js";
import { showBans } from "./bans.js";
import { showBell } from "./bell.js";
import { complain, enterPage, leave, logOut } from "./page.js";

const REFRESH = 30_000; // milliseconds between looks at the list, while somebody looks at it

const list = document.querySelector("#logins");
const problem = document.querySelector("#problem");
const everywhere = document.querySelector("#log-out-everywhere");
const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

const me = await enterPage();
showBell(me);
if (me.is_administrator) showBans(document.querySelector("#bans"));
await refresh();
setInterval(refresh, REFRESH);
document.addEventListener("visibilitychange", refresh);
document.querySelector("#log-out-here").addEventListener("click", (event) => logOut(event));
everywhere.addEventListener("click", (event) => logOut(event, api.logOutEverywhere));

async function refresh() {
  if (document.hidden) return;
  try {
    const { logins } = await api.logins();
    complain(problem, "");
    show(logins);
  } catch (error) {
    failed(error);
  }
}

/** A button that has the focus keeps it, as long as its login is there. */
function show(logins) {
  const focused = document.activeElement?.dataset.login;
  list.replaceChildren(...logins.map(entry));
  if (focused) [...list.querySelectorAll("button")].find(({ dataset }) => dataset.login === focused)?.focus();
}

async function end(login, button) {
  button.disabled = true;
  try {
    await api.endLogin(login.id);
    // The button goes with its login, and a focus on it would be lost.
    document.querySelector("#main").focus();
  } catch (error) {
    button.disabled = false;
    // Somebody was faster: then the list says so.
    if (error.status !== 404) return failed(error);
  }
  await refresh();
}

function failed(error) {
  if (error.status === 401) leave("logged-out");
  else complain(problem, error.message);
}

function entry(login) {
  const item = document.createElement("li");
  const seen = login.is_open ? "In a room now" : `Last seen ${when.format(login.last_seen_at)}`;
  item.append(
    line("agent", login.is_this_one ? `${login.agent} · this browser` : login.agent),
    line("quiet", `${seen} · since ${when.format(login.created_at)}`),
  );
  // The way out of this browser stands below, for all to see.
  if (!login.is_this_one) item.append(wayOut(login));
  return item;
}

function wayOut(login) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "plain", textContent: "Log out there" });
  button.dataset.login = login.id;
  button.setAttribute("aria-label", `Log out there: ${login.agent}`);
  button.addEventListener("click", () => end(login, button));
  return button;
}

function line(className, text) {
  const element = document.createElement("p");
  element.className = className;
  element.textContent = text;
  return element;
}
