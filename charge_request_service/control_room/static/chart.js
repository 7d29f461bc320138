/**
 * The line chart: load by substation over the last minutes.
 *
 * @import { History } from "./history.js"
 */
import { isRepeated, paint } from "./hues.js";
import { byId, say } from "./page.js";
import { counted } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const EDGE = { top: 10, right: 112, bottom: 24, left: 30 };
/** Between two moments on the time axis, at least. */
const TICK_PX = 72;
const STEPS_MS = [15_000, 30_000, 60_000, 120_000];
const LABEL_PX = 16;

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

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

  /** @param {History} history @param {number} now @param {number} top highest capacity of a site */
  show(history, now, top) {
    this.redraw = () => this.draw(history, now, top);
    this.redraw();
  }

  /** @param {History} history @param {number} now @param {number} top */
  draw(history, now, top) {
    if (!this.width) return;
    const span = history.span(now);
    const right = this.width - EDGE.right;
    const high = roundUp(Math.max(4, top));
    const x = (/** @type {number} */ at) => right - ((now - at) / span) * (right - EDGE.left);
    const y = (/** @type {number} */ load) =>
      this.bottom - (load / high) * (this.bottom - EDGE.top);
    const lines = history.lines();
    const newest = history.samples.at(-1)?.at;
    const labels = /** @type {{name: string, load: number, y: number}[]} */ ([]);
    const paths = [...lines].map(([name, pieces]) => {
      const path = draw("path", { class: isRepeated(name) ? "line repeated" : "line" });
      path.setAttribute("d", pieces.map((piece) => trace(piece, x, y)).join(""));
      paint(path, name);
      const end = pieces[pieces.length - 1].at(-1);
      if (end && end.at === newest) labels.push({ name, load: end.load, y: y(end.load) });
      return path;
    });
    this.svg.replaceChildren(
      ...this.grid(high, span, right, y),
      ...paths,
      ...spread(labels, this.bottom).flatMap((label) => this.label(label, right)),
    );
    this.describe(span, labels);
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

  /** @param {{name: string, load: number, y: number, place: number}} label @param {number} right */
  label({ name, load, y, place }, right) {
    const dot = draw("circle", { class: "end", cx: right, cy: y, r: 3 });
    const text = draw("text", { class: "name", x: right + 10, y: place + 4 });
    paint(dot, name);
    text.append(draw("tspan", { class: "load" }, String(load)), ` ${short(name)}`);
    return [dot, text];
  }

  /** @param {number} span @param {{name: string, load: number}[]} labels */
  describe(span, labels) {
    const minutes = Math.round(span / 60_000);
    say(byId("chart-span"), minutes <= 1 ? "last minute" : `last ${counted(minutes, "minute")}`);
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

/**
 * Steps: a load holds until the next is seen.
 *
 * @param {{at: number, load: number}[]} piece
 * @param {(at: number) => number} x
 * @param {(load: number) => number} y
 */
function trace(piece, x, y) {
  const [first, ...rest] = piece;
  const steps = rest.map(({ at, load }) => `H${x(at).toFixed(1)}V${y(load).toFixed(1)}`);
  return `M${x(first.at).toFixed(1)} ${y(first.load).toFixed(1)}${steps.join("")}`;
}

/**
 * Move labels apart so that none covers another, in the order of their lines.
 *
 * @param {{name: string, load: number, y: number}[]} labels
 * @param {number} bottom
 */
export function spread(labels, bottom) {
  const placed = labels.map((label) => ({ ...label, place: label.y })).sort((a, b) => b.y - a.y);
  const pitch = Math.min(LABEL_PX, (bottom - EDGE.top) / Math.max(1, labels.length - 1));
  let limit = bottom;
  for (const label of placed) {
    label.place = Math.min(label.place, limit);
    limit = label.place - pitch;
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
