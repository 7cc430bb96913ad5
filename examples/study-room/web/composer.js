// Where one writes: Enter sends, Shift+Enter begins a line, a draft survives a reload.

import { charactersLeft } from "./limits.js";

const COUNT_FROM = 200; // characters left at which their number is shown

/** Calls `onSend(text)` for every message. `place` names the draft among this browser's. */
export class Composer {
  #form;
  #field;
  #place;
  #count;

  constructor(form, place, onSend) {
    this.#form = form;
    this.#field = form.elements.text;
    this.#count = form.querySelector("#left");
    this.#place = `draft:${place}`;
    this.#field.value = this.#draft();
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => {
      // While an input method composes a word, Enter chooses it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(onSend);
    });
    this.#changed();
  }

  focus() {
    this.#field.focus();
  }

  /** Takes a text back to change it; what is being written stays below it. */
  edit(text) {
    this.#field.value = [text, this.#field.value.trim()].filter((part) => part !== "").join("\n\n");
    this.#changed();
    this.#field.focus();
    this.#field.setSelectionRange(text.length, text.length);
  }

  #submit(onSend) {
    this.#field.focus();
    const text = this.#field.value.trim();
    // What is too long has its reason below it already.
    if (text === "" || charactersLeft(text) < 0) return;
    this.#field.value = "";
    this.#changed();
    onSend(text);
  }

  #changed() {
    const text = this.#field.value;
    this.#keep(text);
    const left = charactersLeft(text.trim());
    this.#count.textContent = left < COUNT_FROM ? inWords(left) : "";
    this.#form.classList.toggle("over", left < 0);
    this.#field.setAttribute("aria-invalid", String(left < 0));
    this.#fit();
  }

  /** Where style sheets cannot make a field as high as its text. */
  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #draft() {
    try {
      return localStorage.getItem(this.#place) ?? "";
    } catch {
      return "";
    }
  }

  #keep(text) {
    try {
      if (text === "") localStorage.removeItem(this.#place);
      else localStorage.setItem(this.#place, text);
    } catch {
      // The browser keeps nothing: the draft lives as long as the page.
    }
  }
}

function inWords(left) {
  const number = `${Math.abs(left)} character${Math.abs(left) === 1 ? "" : "s"}`;
  return left < 0 ? `${number} too many: shorten it, or send it in parts` : `${number} left`;
}
