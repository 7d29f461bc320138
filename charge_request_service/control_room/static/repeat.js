/** Repeats a call while it is wanted and the page is visible. */

const SILENCE_MS = 5000;

export class Repeat {
  /**
   * @param {number} everyMs from a response to the next call
   * @param {(signal: AbortSignal) => Promise<void>} ask
   */
  constructor(everyMs, ask) {
    this.everyMs = everyMs;
    this.ask = ask;
    this.wanted = false;
    this.asking = false;
    /** Whether to repeat immediately after the current call. */
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

  /** Call now, because the parameters have changed. */
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
      // An error of this page must not end the repetition.
      await this.ask(AbortSignal.timeout(SILENCE_MS)).catch(reportError);
      if (!this.anew) break;
    }
    this.asking = false;
    if (this.wanted) this.later = setTimeout(() => this.run(), this.everyMs);
  }
}
