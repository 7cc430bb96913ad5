// The account: where I am logged in, out here, out everywhere.

import * as api from "./api.js";
import { showBell } from "./bell.js";
import { complain, enterPage, leave, logOut } from "./page.js";

const REFRESH = 30_000; // milliseconds between looks at the list, while somebody looks at it

const list = document.querySelector("#logins");
const problem = document.querySelector("#problem");
const everywhere = document.querySelector("#log-out-everywhere");
const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

showBell(await enterPage());
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
    list.replaceChildren(...logins.map(entry));
  } catch (error) {
    if (error.status === 401) leave("logged-out");
    else complain(problem, error.message);
  }
}

function entry(login) {
  const item = document.createElement("li");
  const seen = login.is_open ? "In a room now" : `Last seen ${when.format(login.last_seen_at)}`;
  item.append(
    line("agent", login.is_this_one ? `${login.agent} · this browser` : login.agent),
    line("quiet", `${seen} · since ${when.format(login.created_at)}`),
  );
  return item;
}

function line(className, text) {
  const element = document.createElement("p");
  element.className = className;
  element.textContent = text;
  return element;
}
