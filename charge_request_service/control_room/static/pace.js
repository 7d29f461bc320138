/**
 * How many vehicles began to charge within the last minute, from the balancer's decisions.
 *
 * @import { Decision } from "./api.js"
 */
const MINUTE_MS = 60_000;
/** Minimum time that must be known before a pace is shown. */
const LEAST_MS = 5000;

export class Pace {
  constructor() {
    /** @type {number[]} moments, ms of the grid's clock */
    this.moments = [];
    /** @type {number | null} from here on every decision is known */
    this.knownSince = null;
  }

  /**
   * @param {Decision[]} decisions new ones, oldest first
   * @param {boolean} fromStart whether every decision before them is known, or there is none
   */
  add(decisions, fromStart) {
    if (this.knownSince === null) {
      this.knownSince = fromStart || !decisions.length ? -Infinity : Date.parse(decisions[0].time);
    }
    for (const { attempt, time } of decisions) {
      if (attempt === 1) this.moments.push(Date.parse(time)); // each vehicle once
    }
  }

  /** @param {number} now ms of the grid's clock @returns {number | null} vehicles a minute */
  at(now) {
    if (this.knownSince === null) return null;
    const from = Math.max(now - MINUTE_MS, this.knownSince);
    this.moments = this.moments.filter((moment) => moment > now - MINUTE_MS);
    const span = now - from;
    if (span < LEAST_MS) return null;
    return Math.round((this.moments.length * MINUTE_MS) / span);
  }
}
