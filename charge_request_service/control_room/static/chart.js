/**
 * The line chart: load by substation over the last minutes.
 *
 * @import { Substation } from "./api.js"
 * @import { History, Piece } from "./history.js"
 */
import { outline, paint } from "./colours.js";
import { byId, setText } from "./page.js";
import { draw, trace } from "./svg.js";
import { counted } from "./formatting.js";

const EDGE = { top: 10, right: 124, bottom: 24, left: 30 };
/** Minimum distance between two labels of the time axis. */
const TICK_PX = 72;
const STEPS_MS = [15_000, 30_000, 60_000, 120_000];
const LABEL_PX = 16;
/** More lines cannot be distinguished: only the busiest are drawn. */
const MAX_LINES = 24;

export class Chart {
  constructor() {
    this.svg = draw("svg", { role: "img", "aria-label": "Nothing is known yet." });
    this.width = 0;
    this.bottom = 0;
    const box = byId("chart");
    box.append(this.svg);
    new ResizeObserver(([{ contentRect }]) => {
      this.width = contentRect.width;
      this.bottom = contentRect.height - EDGE.bottom;
      this.redraw();
    }).observe(box);
    this.redraw = () => {};
  }

  /** @param {History} history @param {number} now @param {Substation[]} substations */
  show(history, now, substations) {
    this.redraw = () => this.draw(history, now, substations);
    this.redraw();
  }

  /** @param {History} history @param {number} now @param {Substation[]} substations */
  draw(history, now, substations) {
    if (!this.width) return;
    const span = history.span(now);
    const right = this.width - EDGE.right;
    const drawn = substations.toSorted((one, other) => other.load - one.load).slice(0, MAX_LINES);
    // In the order of the substations, so that lines do not change places as loads change.
    const names = substations.filter((substation) => drawn.includes(substation)).map(({ name }) => name);
    const lines = history.lines("load", names);
    const high = roundUp(Math.max(4, ...drawn.map(({ capacity }) => capacity ?? 0), peak(lines)));
    const x = (/** @type {number} */ at) => right - ((now - at) / span) * (right - EDGE.left);
    const y = (/** @type {number} */ load) =>
      this.bottom - (load / high) * (this.bottom - EDGE.top);
    const newest = history.samples.at(-1)?.at;
    const labels = /** @type {{name: string, load: number, y: number}[]} */ ([]);
    const paths = [...lines].map(([name, pieces]) => {
      const path = draw("path", { class: "line" });
      path.setAttribute("d", pieces.map((piece) => trace(piece, x, y)).join(""));
      paint(path, name);
      const end = pieces.at(-1)?.at(-1);
      if (end && end.at === newest) labels.push({ name, load: end.value, y: y(end.value) });
      return path;
    });
    this.svg.replaceChildren(
      ...this.grid(high, span, right, y),
      ...paths,
      ...spread(labels, this.bottom).flatMap((label) => this.label(label, right)),
    );
    this.describe(span, labels, substations.length > names.length);
  }

  /**
   * @param {number} high
   * @param {number} span
   * @param {number} right
   * @param {(load: number) => number} y
   */
  grid(high, span, right, y) {
    const parts = [];
    for (let load = 0; load <= high; load += high / 4) {
      parts.push(
        draw("line", { class: "rule", x1: EDGE.left, x2: right, y1: y(load), y2: y(load) }),
      );
      parts.push(tick(EDGE.left - 8, y(load) + 4, "end", String(load)));
    }
    const scale = (right - EDGE.left) / span;
    const step = STEPS_MS.find((ms) => ms * scale >= TICK_PX) ?? span;
    for (let back = 0; back <= span; back += step) {
      parts.push(tick(right - back * scale, this.bottom + 20, "middle", before(back)));
    }
    return parts;
  }

  /** @param {Label} label @param {number} right */
  label({ name, load, place }, right) {
    const at = `translate(${right + 9} ${place})`;
    const key = draw("path", { class: "end", d: outline(name), transform: at });
    const text = draw("text", { class: "name", x: right + 19, y: place + 4 });
    paint(key, name);
    text.append(draw("tspan", { class: "load" }, String(load)), ` ${short(name)}`);
    return [key, text];
  }

  /** @param {number} span @param {{name: string, load: number}[]} labels @param {boolean} more */
  describe(span, labels, more) {
    const minutes = Math.round(span / 60_000);
    const past = minutes <= 1 ? "last minute" : `last ${counted(minutes, "minute")}`;
    setText(byId("chart-span"), more ? `${past}, the ${labels.length} busiest` : past);
    const now = labels.map(({ name, load }) => `${name} ${load}`).join(", ");
    this.svg.setAttribute(
      "aria-label",
      `Vehicles charging over time by substation. Now: ${now || "none known"}.`,
    );
  }
}

/** @param {number} x @param {number} y @param {string} anchor @param {string} text */
function tick(x, y, anchor, text) {
  return draw("text", { class: "tick", x, y, "text-anchor": anchor }, text);
}

/** @param {Map<string, Piece[]>} lines */
function peak(lines) {
  let high = 0;
  for (const pieces of lines.values())
    for (const piece of pieces) for (const { value } of piece) high = Math.max(high, value);
  return high;
}

/**
 * Move labels apart so that none covers another, in the order of their lines. Of those that find no
 * place the lowest are left out.
 *
 * @typedef {{name: string, load: number, y: number, place: number}} Label
 * @param {{name: string, load: number, y: number}[]} labels
 * @param {number} bottom
 * @returns {Label[]}
 */
export function spread(labels, bottom) {
  const room = Math.floor((bottom - EDGE.top) / LABEL_PX) + 1;
  const placed = labels
    .map((label) => ({ ...label, place: label.y }))
    .sort((one, other) => other.y - one.y)
    .slice(-room);
  let limit = bottom;
  for (const label of placed) {
    label.place = Math.min(label.place, limit);
    limit = label.place - LABEL_PX;
  }
  // If that moved the highest out of the chart, move them back down.
  limit = EDGE.top;
  for (const label of placed.toReversed()) {
    label.place = Math.max(label.place, limit);
    limit = label.place + LABEL_PX;
  }
  return placed;
}

/** The next number that four lines divide well. @param {number} top */
export function roundUp(top) {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(top)) - 1);
  return Math.ceil(top / (4 * unit)) * 4 * unit;
}

/** @param {number} ms */
function before(ms) {
  if (!ms) return "now";
  return ms % 60_000 ? `−${ms / 1000} s` : `−${ms / 60_000} min`;
}

/** @param {string} name */
function short(name) {
  return name.length > 14 ? `${name.slice(0, 6)}…${name.slice(-7)}` : name;
}
