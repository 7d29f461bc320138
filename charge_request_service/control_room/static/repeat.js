/** Asks again and again, one call at a time, while it is wanted and the page can be seen. */

const SILENCE_MS = 5000;

export class Repeat {
  /**
   * @param {number} everyMs from an answer to the next call
   * @param {(signal: AbortSignal) => Promise<void>} ask
   */
  constructor(everyMs, ask) {
    this.everyMs = everyMs;
    this.ask = ask;
    this.wanted = false;
    this.asking = false;
    /** Whether to ask at once when the answer is in. */
    this.anew = false;
    /** @type {number | undefined} */
    this.later = undefined;
    document.addEventListener("visibilitychange", () => this.run());
  }

  /** @param {boolean} wanted */
  turn(wanted) {
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    this.run();
  }

  /** Ask now: what is wanted is something else than before. */
  now() {
    this.anew = this.asking;
    this.run();
  }

  async run() {
    if (this.asking) return;
    clearTimeout(this.later);
    this.asking = true;
    while (this.wanted && !document.hidden) {
      this.anew = false;
      // A fault of this page must not end its watch.
      await this.ask(AbortSignal.timeout(SILENCE_MS)).catch(reportError);
      if (!this.anew) break;
    }
    this.asking = false;
    if (this.wanted) this.later = setTimeout(() => this.run(), this.everyMs);
  }
}
