/** Each substation's colour, the same in its card, its line and its decisions. */

const HUES = 8;
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
  element.setAttribute("data-hue", String(numberOf(substation) % HUES));
}

/**
 * Whether a colour is used again, so that its line needs another stroke.
 *
 * @param {string} substation
 */
export function isRepeated(substation) {
  return numberOf(substation) >= HUES;
}
