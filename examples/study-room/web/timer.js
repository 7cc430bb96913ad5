// A room's focus timer: what the server says of it, second by second, and the buttons that are for everyone.

import { TimerAlerts } from "./timer-alerts.js";
import { digits, Ends, minutesOf, ServerClock, shownAt, untilNext } from "./timer-clock.js";

/**
 * Shows the timer in `panel`, from the moment on at which the server has said how it stands. `command(payload)` asks the server for something; `onShown({ word, phase, left, title })` is told
 * whenever what it shows changes.
 */
export class FocusTimer {
  #panel;
  #parts;
  #clock = new ServerClock();
  #ends = new Ends();
  #alerts;
  #timer; // none before the server has said how it stands
  #command;
  #onShown;
  #next;

  constructor(panel, roomName, command, onShown) {
    const parts = ["word", "left", "passed", "by", "said", "main", "reset", "length", "sound", "notify", "problem"];
    this.#parts = Object.fromEntries(parts.map((name) => [name, panel.querySelector(`#timer-${name}`)]));
    this.#parts.dial = panel.querySelector(".dial");
    this.#panel = panel.firstElementChild;
    this.#command = command;
    this.#onShown = onShown;
    this.#alerts = new TimerAlerts(this.#parts, roomName);
    const { main, reset, length } = this.#parts;
    main.addEventListener("click", () => this.#press());
    reset.addEventListener("click", () => this.#ask({ do: "reset" }));
    length.addEventListener("change", () => this.#show());
    // A hidden page's timers sleep: whoever looks at it sees the right second at once.
    document.addEventListener("visibilitychange", () => document.hidden || this.#show());
  }

  /** The connection is a new one, perhaps to another server: what comes first on it holds. */
  connected() {
    this.#clock.forget();
    if (this.#timer) this.#timer.version = -1;
  }

  /** Takes what the server says. */
  heard(timer) {
    this.#clock.heard(timer.now, Date.now());
    if (timer.version < (this.#timer?.version ?? -1)) return;
    if (this.#timer) this.#tellEnd();
    this.#panel.classList.remove("unknown");
    this.#timer = timer;
    this.#parts.problem.hidden = true;
    this.#show();
  }

  #press() {
    if (this.#timer.state === "running") return this.#ask({ do: "pause" });
    if (this.#timer.state === "paused") return this.#ask({ do: "resume" });
    const [focus, rest] = this.#lengths();
    return this.#ask({ do: "start", focus, break: rest });
  }

  async #ask(command) {
    const { problem } = this.#parts;
    problem.hidden = true;
    try {
      await this.#command(command);
    } catch (error) {
      problem.textContent = error.code === "offline" ? "There is no connection right now. Try again in a moment." : error.message;
      problem.hidden = false;
    }
  }

  #lengths() {
    return this.#parts.length.value.split("/").map(Number);
  }

  #show() {
    clearTimeout(this.#next);
    if (!this.#timer) return;
    this.#tellEnd();
    const shown = shownAt(this.#timer, this.#clock.at(Date.now()), this.#lengths()[0]);
    const { dial, word, left, passed, by, main, reset, length } = this.#parts;
    const { state } = this.#timer;
    dial.dataset.phase = shown.phase;
    dial.dataset.state = state;
    word.textContent = shown.word;
    left.textContent = digits(shown.left);
    passed.setAttribute("stroke-dasharray", `${100 * shown.share} 100`);
    by.textContent = this.#sentence();
    main.textContent = { ready: "Start", running: "Pause", paused: "Resume" }[state];
    reset.classList.toggle("absent", state === "ready");
    length.disabled = state !== "ready";
    this.#onShown({ ...shown, title: state === "running" ? `${minutesOf(shown.left)} ${shown.phase}` : "" });
    if (state === "running" && shown.left > 0) this.#next = setTimeout(() => this.#show(), untilNext(shown.left));
  }

  #sentence() {
    const { state, by, focus, break: rest } = this.#timer;
    if (state === "ready") return "Anyone here starts it, for everyone.";
    return `${focus} + ${rest} minutes. ${state === "paused" ? "Paused" : "Set going"} by ${by}.`;
  }

  #tellEnd() {
    const ended = this.#ends.of(this.#timer, this.#clock.at(Date.now()));
    if (!ended) return;
    const sentence = ended === "focus" ? "The focus round is over. Take a break." : "The break is over.";
    this.#parts.said.textContent = sentence;
    this.#alerts.tell(sentence);
  }
}
