/** Helpers for the page's elements: look-up, text and templates. */

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * Set an element's text, unless it has that text already.
 *
 * @param {Element} element
 * @param {string | number} text
 */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = String(text);
}

/** A word with punctuation inside: an address, a path, a name made of parts. */
const COMPOUND = /(\S*[^\s.,:;/?&=-][.,:;/?&=-]+[^\s.,:;/?&=-]\S*)/;

/**
 * Set a text that may contain addresses: each stays on one line if it fits, and otherwise breaks
 * between its parts.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setMessage(element, text) {
  if (element.textContent === text) return;
  element.replaceChildren(
    ...text.split(COMPOUND).map((part, index) => {
      if (index % 2 === 0) return part;
      const whole = make("span", "whole");
      whole.append(...part.split(/(?<=[.,:;/?&=-])(?=[^.,:;/?&=-])/).flatMap((one) => [one, make("wbr")]));
      return whole;
    }),
  );
}

/**
 * @param {string} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElement}
 */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

/**
 * Copy a template.
 *
 * @param {string} id
 * @returns {{root: HTMLElement, slots: Record<string, HTMLElement>}} copy and parts to fill
 */
export function cloneTemplate(id) {
  const template = /** @type {HTMLTemplateElement} */ (byId(id));
  const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const root = /** @type {HTMLElement} */ (copy.firstElementChild);
  /** @type {Record<string, HTMLElement>} */
  const slots = {};
  for (const slot of /** @type {NodeListOf<HTMLElement>} */ (
    root.querySelectorAll("[data-slot]")
  )) {
    slots[slot.dataset.slot ?? ""] = slot;
  }
  return { root, slots };
}

/** Announce a text to screen readers. @param {string} text */
export function announce(text) {
  setText(byId("announcer"), text);
}
