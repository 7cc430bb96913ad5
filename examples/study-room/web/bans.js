// What administrators do: keep somebody out of the study room, and let them in again.

import * as api from "./api.js";
import { complain, leave } from "./page.js";
import { made } from "./text.js";

const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

/** Asks once more before `{ user, name }` is banned: it cuts them off in the middle of a sentence. */
export function askToBan({ user, name }) {
  const dialog = made("dialog", "");
  const title = made("h2", "", `Ban ${name}?`);
  title.id = "ban-title";
  title.dir = "auto";
  dialog.setAttribute("aria-labelledby", title.id);
  const what = made("p", "", "They are logged out everywhere at once, and cannot log in until an administrator lets them in again.");
  const problem = made("p", "error");
  problem.setAttribute("role", "alert");
  problem.hidden = true;
  const [cancel, ban] = [button("plain", "Cancel"), button("primary", "Ban")];
  const actions = made("div", "actions");
  actions.append(cancel, ban);
  const form = made("div", "asks");
  form.append(title, what, problem, actions);
  dialog.append(form);
  document.body.append(dialog);

  cancel.addEventListener("click", () => dialog.close());
  ban.addEventListener("click", () => attempt(ban, problem, async () => {
    await api.ban(user);
    dialog.close();
  }));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  cancel.focus();
}

/** Shows in a section who is banned, with a way to let them in again. */
export async function showBans(section) {
  const [list, problem] = [section.querySelector("ul"), section.querySelector(".error")];
  const refresh = async () => {
    const { bans } = await api.bans();
    list.replaceChildren(...bans.map((one) => entry(one, problem, refresh)));
    section.hidden = bans.length === 0;
  };
  await refresh().catch((error) => {
    // Nobody must take it for an empty list.
    section.hidden = false;
    failed(problem, error);
  });
}

function entry({ user, name, banned_at: bannedAt }, problem, refresh) {
  const item = made("li", "");
  const who = made("p", "agent", name);
  who.dir = "auto";
  const letIn = button("plain", "Let in again");
  letIn.setAttribute("aria-label", `Let in again: ${name}`);
  letIn.addEventListener("click", () => attempt(letIn, problem, async () => {
    await api.liftBan(user);
    await refresh();
    // The button goes with its entry, and a focus on it would be lost.
    document.querySelector("#main").focus();
  }));
  item.append(who, made("p", "quiet", `Banned ${when.format(bannedAt)}`), letIn);
  return item;
}

/** Does what a button is for, once at a time, and says what went wrong. */
async function attempt(pressed, problem, act) {
  pressed.disabled = true;
  try {
    complain(problem, "");
    await act();
  } catch (error) {
    failed(problem, error);
  } finally {
    pressed.disabled = false;
  }
}

function failed(problem, error) {
  if (error.status === 401) leave("logged-out");
  else complain(problem, error.message);
}

function button(className, text) {
  return Object.assign(made("button", className, text), { type: "button" });
}
