// Where one writes: Enter sends, Shift+Enter makes a line, a draft survives a reload.

const LONGEST = 4000;

/** Calls `onSend(text)` for every message. */
export class Composer {
  #form;
  #field;
  #place;
  #count;

  constructor(form, roomId, onSend) {
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#count = form.querySelector("#left");
    this.#place = `draft:${roomId}`;
    this.#field.value = localStorage.getItem(this.#place) ?? "";
    this.#fit();
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#field.value.trim();
      if (text === "" || [...text].length > LONGEST) return;
      this.#field.value = "";
      this.#changed();
      this.#field.focus();
      onSend(text);
    });
    this.#changed();
  }

  focus() {
    this.#field.focus();
  }

  #changed() {
    const text = this.#field.value;
    if (text === "") localStorage.removeItem(this.#place);
    else localStorage.setItem(this.#place, text);
    const left = LONGEST - [...text.trim()].length;
    this.#count.textContent = left < 200 ? `${left} characters left` : "";
    this.#count.dataset.kind = left < 0 ? "bad" : "";
    this.#fit();
  }

  #fit() {
    // Rows and not a style: the page's policy allows none, and rows do as well.
    const lines = this.#field.value.split("\n").reduce((sum, line) => sum + 1 + Math.floor(line.length / 60), 0);
    this.#field.rows = Math.min(8, Math.max(1, lines));
  }
}
