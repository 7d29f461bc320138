/**
 * The API key, where the gateway takes keys: asked for once, kept for as long as this tab is open,
 * and sent by `call` in api.js.
 */
import { byId, say, stamp } from "./page.js";

const NAME = "ev-grid-api-key";

/** @type {string | null} also kept here, for browsers that keep nothing */
let held = null;
try {
  held = sessionStorage.getItem(NAME);
} catch {
  // Storage is blocked: the key is then asked for again after a reload.
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
  /** @param {() => void} onKey what to do once there is another key */
  constructor(onKey) {
    this.onKey = onKey;
    this.place = byId("key-place");
  }

  /** Ask for a key. @param {string} why */
  show(why) {
    if (this.place.hidden) {
      const { root, slots } = stamp("key-entry");
      const input = /** @type {HTMLInputElement} */ (slots.input);
      root.addEventListener("submit", (event) => {
        event.preventDefault();
        const key = input.value.trim();
        // A header takes no more; anything else could be no key anyway.
        if (!/^[\x21-\x7e]+$/.test(key)) return this.tell("A key is one word of plain letters.");
        hold(key);
        this.tell("");
        this.onKey();
      });
      this.place.replaceChildren(root);
      this.place.hidden = false;
      input.focus();
    }
    this.tell(held === null ? "" : why);
  }

  /** @param {string} why */
  tell(why) {
    say(byId("key-fault"), why);
  }

  /** The key is taken. */
  hide() {
    this.place.hidden = true;
    this.place.replaceChildren();
  }
}
