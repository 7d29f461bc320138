/**
 * What distinguishes a substation in cards, lines and decisions: a colour and, once all colours are in
 * use, a mark: the shape of its key and the stroke of its line.
 */

const HUES = 8;
const MARKS = 6;
/** @type {Map<string, number>} */
const given = new Map();

/**
 * @param {string} substation
 * @returns {number} its number, in the order in which substations were first seen
 */
function numberOf(substation) {
  const known = given.get(substation);
  if (known !== undefined) return known;
  given.set(substation, given.size);
  return given.size - 1;
}

/** @param {Element} element @param {string} substation */
export function paint(element, substation) {
  const number = numberOf(substation);
  element.setAttribute("data-hue", String(number % HUES));
  element.setAttribute("data-mark", String(Math.floor(number / HUES) % MARKS));
}

/** Outlines of the marks, each in a square of 8 around its middle. */
const OUTLINES = [
  "M-3 -3h6v6h-6z",
  "M0 -4l4.2 7.5h-8.4z",
  "M0 -4.4l4.4 4.4l-4.4 4.4l-4.4 -4.4z",
  "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0z",
  "M0 4l4.2 -7.5h-8.4z",
  "M-1.4 -4h2.8v2.6h2.6v2.8h-2.6v2.6h-2.8v-2.6h-2.6v-2.8h2.6z",
];

/** The outline of a substation's mark. @param {string} substation */
export function outline(substation) {
  return OUTLINES[Math.floor(numberOf(substation) / HUES) % MARKS];
}
