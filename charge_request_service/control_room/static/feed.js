/**
 * What is polled: asks the gateway again and again, one round at a time.
 *
 * @import { Decision, Decisions, Grid, GridHistory, RushHour } from "./api.js"
 *
 * @typedef {object} Round
 * @property {Grid} grid
 * @property {Decision[]} decisions new ones, oldest first
 * @property {boolean} fromStart whether every decision before them is known, or there is none
 * @property {number} now the grid's clock, ms
 * @property {GridHistory | null} history asked for at first, and after a gap
 *
 * @typedef {object} Listener
 * @property {(round: Round) => void} round
 * @property {(rushHour: RushHour) => void} rushHour
 * @property {(why: Error) => boolean} trouble told what is wrong; returns whether to keep asking
 */
import { call } from "./api.js";

/**
 * How often to ask for the substations; for the decisions and the rush hour every second time, which keeps
 * these at five calls a second. With the balancer's defaults a substation that freezes is found out after at
 * most 2.2 s: asking this often, the page shows it within three.
 */
const EVERY_MS = 400;
const SILENCE_MS = 3000;
/** A round that comes this long after the one before leaves a gap, which the balancer can fill. */
const GAP_MS = 4000;
/** How long to leave a gateway alone that wants a key: the one held may be taken again. */
const LOCKED_MS = 30_000;
/** How many decisions to begin with: enough for the list, and for a pace to start from. */
const BACKLOG = 300;
/** Of a busier grid's decisions the rest is skipped: each page is a call. */
const MAX_PAGES = 10;
/** Higher than any sequence number: asks for the last number alone. */
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
    /** Whether the next round asks for all there is, and not for the substations alone. */
    this.whole = true;
    this.running = false;
    /** Whether to ask now; a gateway that wants a key is asked once there is one, or after a while. */
    this.wanted = true;
    /** @type {number | undefined} the timer that asks again by itself */
    this.later = undefined;
  }

  /** Poll from now on, whenever the page can be seen. */
  start() {
    document.addEventListener("visibilitychange", () => this.run());
    this.run();
  }

  /** Ask again, now that it may help. */
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
      const heard = await this.round().catch(reportError); // a fault of this page must not end its watch
      // A round that failed is made again, all of it: at that pace a rate limit would never let it.
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
    // The header counts whole seconds: half of one is the mean of what it leaves out.
    if (!Number.isNaN(grid.date)) this.skew = grid.date + 500 - Date.now();
    const now = Date.now() + this.skew;
    this.listener.round({ grid: grid.answer, decisions, fromStart, now, history: kept });
    return true;
  }

  /** @param {AbortSignal} signal */
  async rushHour(signal) {
    const asked = call("GET", "rush-hour", { signal });
    const heard = await asked.catch(() => null); // the silence shows in the round's other calls
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
      // The balancer has restarted, and counts from 1 again.
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
