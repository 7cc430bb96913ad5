// The bell of the study room's pages, as people see it, for the scripts beside this file.

/** The bell of a page, with so many unread. */
export const bell = (page, unread) =>
  page.getByRole("button", { name: unread === 0 ? "Notifications" : `Notifications, ${unread} unread`, exact: true });
export const rings = (page, unread) => bell(page, unread).waitFor();
export const list = (page) => page.locator("#notifications");

/** What the list says, unread or read, in its order. */
export const told = (page) => list(page).locator("li").evaluateAll((items) =>
  items.map((item) => [item.querySelector(".what").textContent, item.querySelector(".state").textContent]));
