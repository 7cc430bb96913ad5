// The days of a conversation: lines between its messages, each with a name.

const dayName = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });

/** Begins a day with a message, and with what the system said on that day before it. */
export function beginDay(item) {
  const day = document.createElement("li");
  day.className = "day";
  day.dataset.day = midnight(Number(item.dataset.sent));
  let first = item;
  const isOfDay = (line) => isLine(line) && midnight(Number(line.dataset.sent)) === Number(day.dataset.day);
  while (isOfDay(first.previousElementSibling)) first = first.previousElementSibling;
  first.before(day);
}

/** The day that begins with a message; undefined where it began before. */
export function dayBefore(item) {
  let before = item.previousElementSibling;
  while (isLine(before)) before = before.previousElementSibling;
  return isDay(before) ? before : undefined;
}

/** With a new day, "today" has become "yesterday". */
export function nameDays(list) {
  for (const day of list.querySelectorAll(".day")) day.textContent = nameOf(Number(day.dataset.day));
}

export function isDay(element) {
  return element?.classList.contains("day") ?? false;
}

function isLine(element) {
  return element?.classList.contains("system") ?? false;
}

/** Days and what the system says stand between messages. */
export function isMessage(element) {
  return element?.classList.contains("message") ?? false;
}

export function messageBefore(item) {
  let before = item.previousElementSibling;
  while (before && !isMessage(before)) before = before.previousElementSibling;
  return before ?? undefined;
}

export function messageAfter(item) {
  let after = item.nextElementSibling;
  while (after && !isMessage(after)) after = after.nextElementSibling;
  return after ?? undefined;
}

export function midnight(time) {
  return new Date(time).setHours(0, 0, 0, 0);
}

function nameOf(day) {
  const ago = Math.round((midnight(Date.now()) - day) / 86_400_000); // days of 23 and 25 hours are days too
  return ["Today", "Yesterday"][ago] ?? dayName.format(day);
}
