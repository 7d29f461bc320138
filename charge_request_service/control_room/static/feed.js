/**
 * Polls the gateway, one round at a time.
 *
 * @import { Decision, Decisions, Grid, GridHistory, RushHour } from "./api.js"
 *
 * @typedef {object} Round
 * @property {Grid} grid
 * @property {Decision[]} decisions new ones, oldest first
 * @property {boolean} fromStart whether all earlier decisions are known
 * @property {number} now the grid's clock, ms
 * @property {GridHistory | null} history asked for at first, and after a gap
 *
 * @typedef {object} Listener
 * @property {(round: Round) => void} round
 * @property {(rushHour: RushHour) => void} rushHour
 * @property {(why: Error) => boolean} trouble called with an error; returns whether to keep polling
 */
import { call } from "./api.js";

/**
 * How often to poll the substations. Decisions and rush hour are polled every second time, which adds up to
 * five calls a second. With the balancer's defaults a frozen substation is detected after at most 2.2 s, and
 * at this rate the page shows it within three.
 */
const EVERY_MS = 400;
const SILENCE_MS = 3000;
/** After a pause longer than this, the history is fetched again to fill the gap. */
const GAP_MS = 4000;
/** Pause after a gateway asked for a key: it may accept the current one again. */
const LOCKED_MS = 30_000;
/** How many decisions to fetch first: enough for the list and for the first pace. */
const BACKLOG = 300;
/** Maximum number of pages per round; further decisions are skipped. */
const MAX_PAGES = 10;
/** Higher than any sequence number, to fetch only the last number. */
const BEYOND = 999_999_999_999_999;

export class Feed {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {number | null} the last decision seen */
    this.since = null;
    this.skew = 0;
    /** When the grid last answered, ms of performance.now(). */
    this.heard = -Infinity;
    /** Whether the next round polls everything, not only the substations. */
    this.whole = true;
    this.running = false;
    /** Whether to poll now. A gateway that asks for a key is polled again when there is one, or later. */
    this.wanted = true;
    /** @type {number | undefined} the timer that polls again */
    this.later = undefined;
  }

  /** Start to poll, whenever the page is visible. */
  start() {
    document.addEventListener("visibilitychange", () => this.run());
    this.run();
  }

  /** Poll again now, for example with a new key. */
  again() {
    clearTimeout(this.later);
    this.wanted = true;
    this.run();
  }

  async run() {
    if (this.running || !this.wanted) return;
    this.running = true;
    while (!document.hidden && this.wanted) {
      const began = performance.now();
      const heard = await this.round().catch(reportError); // an error of this page must not end the polling
      // A failed round is repeated completely; at full speed a rate limit would never allow it.
      const rest = (heard ? 1 : 2) * EVERY_MS - (performance.now() - began);
      await new Promise((wake) => setTimeout(wake, Math.max(100, rest)));
    }
    this.running = false;
  }

  /** @returns {Promise<boolean>} whether the grid answered */
  async round() {
    const signal = AbortSignal.timeout(SILENCE_MS);
    const rushHour = this.whole ? this.rushHour(signal) : undefined;
    const gap = performance.now() - this.heard > GAP_MS;
    const history = gap ? call("GET", "history", { signal }).catch(() => null) : null;
    const answers = await Promise.all([
      call("GET", "substations", { signal }),
      this.whole ? this.decisions(signal) : { decisions: [], fromStart: false, last: this.since },
    ]).catch((error) => {
      this.wanted = this.listener.trouble(error);
      if (!this.wanted) this.later = setTimeout(() => this.again(), LOCKED_MS);
    });
    await rushHour;
    const kept = (await history)?.answer ?? null;
    if (!answers) return false;
    this.heard = performance.now();
    this.whole = !this.whole;
    const [grid, { decisions, fromStart, last }] = answers;
    this.since = last;
    // The header has whole seconds: add the mean of the omitted fraction.
    if (!Number.isNaN(grid.date)) this.skew = grid.date + 500 - Date.now();
    const now = Date.now() + this.skew;
    this.listener.round({ grid: grid.answer, decisions, fromStart, now, history: kept });
    return true;
  }

  /** @param {AbortSignal} signal */
  async rushHour(signal) {
    const asked = call("GET", "rush-hour", { signal });
    const heard = await asked.catch(() => null); // a failure shows in the round's other calls
    if (heard) this.listener.rushHour(heard.answer);
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<{decisions: Decision[], fromStart: boolean, last: number}>}
   */
  async decisions(signal) {
    const first = this.since === null;
    let from = this.since ?? Math.max(0, (await this.after(BEYOND, signal)).last - BACKLOG);
    let { last, decisions } = await this.after(from, signal);
    if (last < from) {
      // The balancer has restarted and counts from 1 again.
      from = 0;
      ({ last, decisions } = await this.after(from, signal));
    }
    return { decisions, fromStart: !first || from === 0, last };
  }

  /**
   * @param {number} since
   * @param {AbortSignal} signal
   * @returns {Promise<{last: number, decisions: Decision[]}>} of all pages
   */
  async after(since, signal) {
    const decisions = [];
    /** @type {Decisions} */
    let page;
    let pages = 0;
    do {
      page = (await call("GET", `decisions?since=${since}`, { signal })).answer;
      decisions.push(...page.decisions);
      since = page.next ?? since;
    } while (page.next !== null && ++pages < MAX_PAGES);
    return { last: page.last, decisions };
  }
}
