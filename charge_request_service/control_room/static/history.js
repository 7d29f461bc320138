/**
 * The last minutes of load, as this page has seen them.
 *
 * @import { Substation } from "./api.js"
 *
 * @typedef {{at: number, loads: Map<string, number>}} Sample
 */
const KEPT_MS = 5 * 60_000;
const LEAST_SPAN_MS = 60_000;
/** Samples further apart than this have something missing between them. */
const GAP_MS = 4000;

export class History {
  constructor() {
    /** @type {Sample[]} */
    this.samples = [];
  }

  /** @param {number} at ms of any steady clock @param {Substation[]} substations */
  add(at, substations) {
    const known = substations.filter(({ health }) => health === "up" || health === "draining");
    this.samples.push({ at, loads: new Map(known.map(({ name, load }) => [name, load])) });
    while (this.samples[0].at < at - KEPT_MS) this.samples.shift();
  }

  /** How far back to show, ms: grows from a minute to all that is kept. @param {number} now */
  span(now) {
    const seen = this.samples.length ? now - this.samples[0].at : 0;
    return Math.min(KEPT_MS, Math.max(LEAST_SPAN_MS, seen));
  }

  /**
   * Each substation's load in pieces: what is not known is left out, not guessed.
   *
   * @returns {Map<string, {at: number, load: number}[][]>}
   */
  lines() {
    /** @type {Map<string, {at: number, load: number}[][]>} */
    const lines = new Map();
    let before = -Infinity;
    /** @type {Set<string>} */
    let there = new Set();
    for (const { at, loads } of this.samples) {
      for (const [name, load] of loads) {
        const pieces = lines.get(name) ?? [];
        lines.set(name, pieces);
        if (!there.has(name) || at - before > GAP_MS) pieces.push([]);
        pieces[pieces.length - 1].push({ at, load });
      }
      there = new Set(loads.keys());
      before = at;
    }
    return lines;
  }
}
