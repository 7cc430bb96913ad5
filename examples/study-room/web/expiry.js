// The end of the login: told a minute ahead, with a way to stay, in every tab; and asked about once when it has come.

// In milliseconds.
const LEAD = 60_000;
const LAST_CALL = 30_000; // from here on it is less than a minute
const LONGEST = 2 ** 31 - 1; // the longest time that a browser's timer can wait

/**
 * Keeps the time of one login. `show(sentence)` says that it ends, or nothing any more; `onEnd()` is called once for each end.
 * No page and no network: it runs in tests as it is.
 */
export class LoginClock {
  #show;
  #onEnd;
  #now;
  #end = Infinity;
  #timer;

  constructor({ show, onEnd, now = Date.now }) {
    this.#show = show;
    this.#onEnd = onEnd;
    this.#now = now;
  }

  /** The login ends so many milliseconds from now: by the server's clock, which need not agree with ours. */
  endsIn(milliseconds) {
    this.#end = this.#now() + milliseconds;
    this.look();
  }

  /** Says what is true now. Timers stand still while a machine sleeps, so whoever comes back looks again. */
  look() {
    clearTimeout(this.#timer);
    const left = this.#end - this.#now();
    if (left <= 0) {
      this.#end = Infinity;
      this.#show("");
      this.#onEnd();
      return;
    }
    if (left > LEAD) this.#show("");
    else this.#show(left > LAST_CALL ? "Your session ends in 1 minute" : "Your session ends in less than a minute");
    const next = [LEAD, LAST_CALL, 0].map((mark) => left - mark).find((wait) => wait > 0);
    if (left !== Infinity) this.#timer = setTimeout(() => this.look(), Math.min(next, LONGEST));
  }
}

/**
 * Watches over the login of this page. `refresh()` renews it and resolves with an answer that has `expires_in`; `isLoggedIn()`
 * says whether it is good; `leave()` goes to the door.
 */
export function watchLogin(expiresIn, { refresh, isLoggedIn, leave, complain }) {
  const { line, sentence, stay } = expiryLine();
  // A login that one tab renews goes on in all of them.
  const tabs = new BroadcastChannel("login");
  const clock = new LoginClock({
    show(text) {
      if (sentence.textContent !== text) sentence.textContent = text;
      line.hidden = text === "";
    },
    async onEnd() {
      // Another browser's tab may have renewed it, and ours may be wrong about the time: the server knows.
      if ((await isLoggedIn()) === false) leave("token-expired");
    },
  });
  tabs.onmessage = ({ data }) => clock.endsIn(data);
  document.addEventListener("visibilitychange", () => clock.look());
  stay.addEventListener("click", async () => {
    stay.disabled = true;
    try {
      const { expires_in: renewed } = await refresh();
      clock.endsIn(renewed);
      tabs.postMessage(renewed);
    } catch (error) {
      if (error.status === 401) leave("token-expired");
      else complain(error.message);
    } finally {
      stay.disabled = false;
    }
  });
  clock.endsIn(expiresIn);
}

/** In the header, where it hides nothing. */
function expiryLine() {
  const look = document.createElement("link");
  look.rel = "stylesheet";
  look.href = "/assets/account.css";
  document.head.append(look);
  const line = document.createElement("div");
  line.className = "expiry";
  line.hidden = true;
  const sentence = document.createElement("p");
  sentence.setAttribute("role", "status");
  const stay = document.createElement("button");
  stay.type = "button";
  stay.className = "primary";
  stay.textContent = "Stay";
  line.append(sentence, stay);
  document.querySelector(".top").append(line);
  return { line, sentence, stay };
}
