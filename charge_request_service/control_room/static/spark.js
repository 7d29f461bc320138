/**
 * A substation's power over the last minutes, below its limit, without axes, for its card.
 *
 * @import { History } from "./history.js"
 */
import { draw, trace } from "./svg.js";

const WIDTH = 100;
const HEIGHT = 28;
/** Margin for lines at the top or bottom. */
const EDGE = 2;

export class Spark {
  constructor() {
    this.svg = draw("svg", {
      class: "spark",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    this.area = draw("path", { class: "spark-area" });
    this.limit = draw("path", { class: "spark-limit" });
    this.line = draw("path", { class: "spark-line" });
    this.svg.append(this.area, this.limit, this.line);
  }

  /** @param {History} history @param {string} name @param {number} now */
  show(history, name, now) {
    const span = history.span(now);
    const power = history.line("power_kw", name);
    const limit = history.line("power_limit_kw", name);
    const high = Math.max(1, ...[...power, ...limit].flat().map(({ value }) => value));
    const x = (/** @type {number} */ at) => WIDTH - ((now - at) / span) * WIDTH;
    const y = (/** @type {number} */ value) =>
      HEIGHT - EDGE - (value / high) * (HEIGHT - 2 * EDGE);
    const traced = power.map((piece) => trace(piece, x, y));
    const filled = power.map((piece, index) => {
      const [start, end] = [piece[0], piece[piece.length - 1]].map(({ at }) => x(at).toFixed(1));
      return `${traced[index]}L${end} ${HEIGHT}L${start} ${HEIGHT}Z`;
    });
    this.line.setAttribute("d", traced.join(""));
    this.area.setAttribute("d", filled.join(""));
    this.limit.setAttribute("d", limit.map((piece) => trace(piece, x, y)).join(""));
  }
}
