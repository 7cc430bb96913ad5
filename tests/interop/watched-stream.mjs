// One event stream and what is wrong with it, in Node.js and in a page. It hears numbers from 0 on, each once and in order, with a
// filler that says whether it came whole (`bodyOf` in cut-streams.mjs), and after each cut first whether anything is missing.

export class WatchedStream {
  expected = 0; // the next number
  opened = 0;
  recovered = 0; // times that it was told that nothing is missing
  failures = [];
  #source;

  constructor(EventSource, url) {
    const source = new EventSource(url);
    this.#source = source;
    // The first time there is nothing to recover.
    let isTold = true;
    source.onopen = () => {
      this.opened += 1;
      isTold = this.opened === 1;
    };
    source.onmessage = ({ data, lastEventId }) => {
      const [place, filler] = JSON.parse(data);
      if (!isTold) this.#failed(`${place} came before it was told whether anything is missing`);
      if (place !== this.expected) this.#failed(`${place} came for ${this.expected}`);
      if (filler !== "ü".repeat(place % 50) || lastEventId === "") this.#failed(`malformed: ${data}`);
      this.expected = place + 1;
    };
    source.addEventListener("parlor.recovered", ({ data }) => {
      this.recovered += 1;
      isTold = true;
      if (data !== '{"recovered":true}') this.#failed(data);
    });
    source.addEventListener("parlor.closed", ({ data }) => this.#failed(data));
    source.onerror = () => source.readyState === EventSource.CLOSED && this.#failed("it gave up");
  }

  /** What was seen until now, as plain values. */
  get seen() {
    const { expected, opened, recovered, failures } = this;
    return { expected, opened, recovered, failures };
  }

  close() {
    this.#source.close();
  }

  /** The first few are enough. */
  #failed(what) {
    if (this.failures.length < 5) this.failures.push(what);
  }
}
