/**
 * The API key, if the gateway requires one: asked for once, kept until this tab is closed, and sent
 * by `call` in api.js.
 */
import { byId, cloneTemplate, setText } from "./page.js";

const NAME = "ev-grid-api-key";

/** @type {string | null} also kept here, for browsers without storage */
let held = null;
try {
  held = sessionStorage.getItem(NAME);
} catch {
  // Storage is blocked: the page asks for the key again after a reload.
}

/** The header that carries the key. @returns {Record<string, string>} */
export function authorization() {
  return held === null ? {} : { Authorization: `Bearer ${held}` };
}

/** @param {string} key */
function hold(key) {
  held = key;
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // As above.
  }
}

export class KeyEntry {
  /** @param {() => void} onKey called when another key was entered */
  constructor(onKey) {
    this.onKey = onKey;
    this.place = byId("key-place");
  }

  /** Ask for a key. @param {string} why */
  show(why) {
    if (this.place.hidden) {
      const { root, slots } = cloneTemplate("key-entry");
      const input = /** @type {HTMLInputElement} */ (slots.input);
      root.addEventListener("submit", (event) => {
        event.preventDefault();
        const key = input.value.trim();
        // A header cannot contain anything else, nor can a key.
        if (!/^[\x21-\x7e]+$/.test(key)) return this.showFault("A key is one word of printable ASCII characters.");
        hold(key);
        this.showFault("");
        this.onKey();
      });
      this.place.replaceChildren(root);
      this.place.hidden = false;
      input.focus();
    }
    this.showFault(held === null ? "" : why);
  }

  /** @param {string} why */
  showFault(why) {
    setText(byId("key-fault"), why);
  }

  /** Hide the form: the key is accepted. */
  hide() {
    this.place.hidden = true;
    this.place.replaceChildren();
  }
}
