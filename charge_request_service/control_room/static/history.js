/**
 * The last minutes of every substation: first from the balancer's history, then from this page's polls.
 *
 * @import { GridHistory, Substation } from "./api.js"
 *
 * @typedef {"load" | "power_kw" | "power_limit_kw"} Series
 * @typedef {{[series in Series]: number | null}} Values
 * @typedef {object} Sample
 * @property {number} at ms of a steady clock
 * @property {number} reach ms: if the sample before is further away, something is missing between
 * @property {Map<string, Values>} values by substation
 *
 * @typedef {{at: number, value: number}[]} Piece
 */
import { responds } from "./attention.js";

const KEPT_MS = 10 * 60_000;
const LEAST_SPAN_MS = 60_000;
const REACH_MS = 4000;
/** Minimum time between two kept samples; the newest is always kept. */
const APART_MS = 1000;

export class History {
  constructor() {
    /** @type {Sample[]} */
    this.samples = [];
  }

  /** Take over what the balancer kept. @param {GridHistory} kept @param {number} now */
  begin({ age_s: age, interval_s: interval, substations }, now) {
    const count = Math.max(0, ...substations.map(({ load }) => load.length));
    if (!count) return;
    const newest = now - age * 1000;
    const samples = Array.from({ length: count }, (_, index) => ({
      at: newest - (count - 1 - index) * interval * 1000,
      reach: Math.max(REACH_MS, interval * 2500),
      values: /** @type {Map<string, Values>} */ (new Map()),
    }));
    for (const { name, load, power_kw: power, power_limit_kw: limit } of substations) {
      load.forEach((value, index) => {
        const values = { load: value, power_kw: power[index], power_limit_kw: limit[index] };
        if (value !== null) samples[index].values.set(name, values);
      });
    }
    const before = this.samples.filter(({ at }) => at < samples[0].at);
    const after = this.samples.filter(({ at }) => at > newest);
    this.samples = [...before, ...samples, ...after];
  }

  /** @param {number} at ms of any steady clock @param {Substation[]} substations */
  add(at, substations) {
    const known = substations.filter(({ health }) => responds(health));
    const last = this.samples.at(-1);
    const former = this.samples.at(-2);
    const isNear = last && former && last.at - former.at < APART_MS;
    if (isNear && !hasOtherLimit(former, last)) this.samples.pop();
    this.samples.push({
      at,
      reach: REACH_MS,
      values: new Map(known.map((substation) => [substation.name, substation])),
    });
    while (this.samples[0].at < at - KEPT_MS) this.samples.shift();
  }

  /** How far back to show, ms: grows from a minute to all that is kept. @param {number} now */
  span(now) {
    const first = this.samples.find(({ values }) => values.size);
    return Math.min(KEPT_MS, Math.max(LEAST_SPAN_MS, first ? now - first.at : 0));
  }

  /**
   * One value of each substation, in pieces: unknown values leave gaps.
   *
   * @param {Series} series
   * @param {Iterable<string>} names
   * @returns {Map<string, Piece[]>}
   */
  lines(series, names) {
    return new Map([...names].map((name) => [name, this.line(series, name)]));
  }

  /** @param {Series} series @param {string} name @returns {Piece[]} */
  line(series, name) {
    /** @type {Piece[]} */
    const pieces = [];
    let before = -Infinity;
    let isKnown = false;
    for (const { at, reach, values } of this.samples) {
      const value = values.get(name)?.[series] ?? null;
      if (value !== null) {
        if (!isKnown || at - before > reach) pieces.push([]);
        pieces[pieces.length - 1].push({ at, value });
      }
      isKnown = value !== null;
      before = at;
    }
    return pieces;
  }

  /**
   * The last change of a substation's power limit, if there was one.
   *
   * @param {string} name
   * @returns {{from: number, to: number, at: number} | null} kW, and ms of the steady clock
   */
  limitChange(name) {
    const seen = this.line("power_limit_kw", name).flat();
    const newest = seen.at(-1);
    const index = seen.findLastIndex(({ value }) => !isSame(value, newest?.value ?? value));
    if (!newest || index < 0) return null;
    return { from: seen[index].value, to: newest.value, at: seen[index + 1].at };
  }
}

/** Whether a limit was changed: it may have been for a moment only. @param {Sample} former @param {Sample} last */
function hasOtherLimit(former, last) {
  return [...last.values].some(([name, { power_limit_kw: limit }]) => {
    const before = former.values.get(name)?.power_limit_kw ?? null;
    return limit !== null && before !== null && !isSame(limit, before);
  });
}

/** The balancer keeps a tenth of a kW. @param {number} one @param {number} other */
function isSame(one, other) {
  return Math.abs(one - other) <= 0.1;
}
