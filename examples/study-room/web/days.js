// The days of a conversation: lines between its messages, each with a name.

const dayName = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });

export function newDay(midnight) {
  const day = document.createElement("li");
  day.className = "day";
  day.dataset.day = midnight;
  return day;
}

/** With a new day, "today" has become "yesterday". */
export function nameDays(list) {
  for (const day of list.querySelectorAll(".day")) day.textContent = nameOf(Number(day.dataset.day));
}

export function isDay(element) {
  return element?.classList.contains("day") ?? false;
}

export function messageBefore(item) {
  const before = item.previousElementSibling;
  return (isDay(before) ? before.previousElementSibling : before) ?? undefined;
}

export function messageAfter(item) {
  const after = item.nextElementSibling;
  return isDay(after) ? after.nextElementSibling : after;
}

export function midnight(time) {
  return new Date(time).setHours(0, 0, 0, 0);
}

function nameOf(day) {
  const ago = Math.round((midnight(Date.now()) - day) / 86_400_000); // days of 23 and 25 hours are days too
  return ["Today", "Yesterday"][ago] ?? dayName.format(day);
}
