// Panels that stand beside the conversation where there is room, and come as sheets over it where there is none.

const WIDE = matchMedia("(min-width: 1024px)");

/** Lets `button` show what is in `panel` as a sheet while the page is narrow. */
export function asSheet(panel, button) {
  const content = panel.firstElementChild;
  const sheet = document.createElement("dialog");
  sheet.className = "sheet";
  sheet.setAttribute("aria-labelledby", panel.getAttribute("aria-labelledby"));
  const close = document.createElement("button");
  Object.assign(close, { type: "button", className: "plain close", textContent: "Close" });
  sheet.append(close);
  document.body.append(sheet);

  button.addEventListener("click", () => {
    sheet.prepend(content);
    sheet.showModal();
  });
  close.addEventListener("click", () => sheet.close());
  sheet.addEventListener("close", () => panel.append(content));
  // A click beside what it holds is one on its backdrop.
  sheet.addEventListener("click", ({ target }) => target === sheet && sheet.close());
  WIDE.addEventListener("change", () => sheet.close());
}
