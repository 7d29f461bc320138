/** The page's own elements: found by name, filled with text, made from its templates. */

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
 * Write a text, unless it stands there already.
 *
 * @param {Element} element
 * @param {string | number} text
 */
export function say(element, text) {
  if (element.textContent !== String(text)) element.textContent = String(text);
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 * @returns {HTMLElement}
 */
export function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/**
 * Copy a template.
 *
 * @param {string} id
 * @returns {{root: HTMLElement, slots: Record<string, HTMLElement>}} copy and parts to fill
 */
export function stamp(id) {
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

/** Tell those who cannot see it. @param {string} text */
export function announce(text) {
  say(byId("announcer"), text);
}
