/**
 * SVG elements, and step lines.
 *
 * @import { Piece } from "./history.js"
 */
const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
export function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/**
 * A step line: each value holds until the next.
 *
 * @param {Piece} piece
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 */
export function trace(piece, x, y) {
  const [first] = piece;
  let path = `M${x(first.at).toFixed(1)} ${y(first.value).toFixed(1)}`;
  let { value } = first;
  for (const step of piece) {
    if (step.value === value) continue;
    value = step.value;
    path += `H${x(step.at).toFixed(1)}V${y(value).toFixed(1)}`;
  }
  return `${path}H${x(piece[piece.length - 1].at).toFixed(1)}`;
}
