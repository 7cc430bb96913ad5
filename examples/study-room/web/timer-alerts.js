// What tells that a phase has ended where nobody looks: a quiet sound and a notification. Both are off until somebody wants them,
// and the browser is asked for nothing before.

const [SOUND, NOTIFICATION] = ["timer-sound", "timer-notification"]; // places in this browser's storage
const NOTES = [[523.25, 0], [659.25, 0.35]]; // hertz, and seconds from the beginning
const LOUDNESS = 0.08;
const FADES = 1.6; // seconds

/** `sound` and `notify` are the boxes to tick, `problem` is where it says what does not work. */
export class TimerAlerts {
  #sound;
  #notify;
  #problem;
  #roomName;
  #audio;

  constructor({ sound, notify, problem }, roomName) {
    this.#sound = sound;
    this.#notify = notify;
    this.#problem = problem;
    this.#roomName = roomName;
    sound.checked = kept(SOUND);
    sound.addEventListener("change", () => this.#soundChosen());
    // Browsers let a page sound only after somebody has done something on it.
    if (sound.checked) addEventListener("pointerdown", () => this.#wake(), { once: true });
    const isSupported = "Notification" in window;
    notify.closest("label").hidden = !isSupported;
    notify.checked = isSupported && kept(NOTIFICATION) && Notification.permission === "granted";
    notify.addEventListener("change", () => this.#notificationChosen());
  }

  tell(sentence) {
    if (this.#sound.checked) this.#play();
    if (this.#notify.checked && !document.hasFocus()) this.#show(sentence);
  }

  #soundChosen() {
    keep(SOUND, this.#sound.checked);
    if (this.#sound.checked) this.#play();
  }

  async #notificationChosen() {
    const { checked } = this.#notify;
    const isGranted = checked && (await Notification.requestPermission()) === "granted";
    this.#notify.checked = isGranted;
    keep(NOTIFICATION, isGranted);
    if (checked && !isGranted) this.#complain("The browser does not let this page show notifications.");
  }

  #wake() {
    this.#audio ??= new AudioContext();
    this.#audio.resume();
  }

  #play() {
    this.#wake();
    const from = this.#audio.currentTime;
    for (const [hertz, after] of NOTES) {
      const [tone, volume] = [this.#audio.createOscillator(), this.#audio.createGain()];
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0, from + after);
      volume.gain.linearRampToValueAtTime(LOUDNESS, from + after + 0.05);
      volume.gain.exponentialRampToValueAtTime(0.0001, from + after + FADES);
      tone.connect(volume).connect(this.#audio.destination);
      tone.start(from + after);
      tone.stop(from + after + FADES);
    }
  }

  #show(sentence) {
    try {
      const notification = new Notification(sentence, { body: this.#roomName, tag: location.pathname, icon: "/assets/icon.svg" });
      notification.onclick = () => {
        focus();
        notification.close();
      };
    } catch {
      // Some phones show notifications of service workers alone.
      this.#notify.checked = false;
      this.#complain("This browser shows no notifications of pages.");
    }
  }

  #complain(sentence) {
    this.#problem.textContent = sentence;
    this.#problem.hidden = false;
  }
}

function kept(place) {
  try {
    return localStorage.getItem(place) === "on";
  } catch {
    return false;
  }
}

function keep(place, isOn) {
  try {
    if (isOn) localStorage.setItem(place, "on");
    else localStorage.removeItem(place);
  } catch {
    // The browser keeps nothing: the choice lives as long as the page.
  }
}
