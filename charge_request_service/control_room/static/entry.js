/**
 * What a form sends and what was wrong with it, said at the field that it is about.
 *
 * Nothing is checked here: the gateway alone knows what it takes, and says so.
 */
import { Problem } from "./api.js";
import { byId, say, tell } from "./page.js";

export class Entry {
  /** @param {string} id of the form; what is wrong beyond its fields goes to `<id>-fault` */
  constructor(id) {
    this.form = /** @type {HTMLFormElement} */ (byId(id));
    this.fault = byId(`${id}-fault`);
    this.inputs = [...this.form.querySelectorAll("input")];
  }

  /** Read the fields that are filled in. @returns {Record<string, string | number>} */
  values() {
    return Object.fromEntries(
      this.inputs
        .filter((input) => input.value.trim() !== "")
        .map((input) => [input.name, valueOf(input)]),
    );
  }

  /** Forget what was wrong. */
  clear() {
    say(this.fault, "");
    for (const input of this.inputs) this.mark(input, "");
  }

  /** Show an error, by field where it names one. @param {unknown} error */
  show(error) {
    /** @type {HTMLInputElement | null} */
    let first = null;
    const others = [];
    for (const { field, detail } of error instanceof Problem ? error.errors : []) {
      const input = this.inputs.find(({ name }) => name === field);
      if (!input) others.push(`${field} ${detail}`);
      else this.mark(input, `${input.labels?.[0].textContent} ${detail}`);
      first ??= input ?? null;
    }
    if (first) first.focus();
    else if (!others.length) others.push(error instanceof Error ? error.message : String(error));
    tell(this.fault, others.join(" "));
  }

  /** @param {HTMLInputElement} input @param {string} fault */
  mark(input, fault) {
    input.setAttribute("aria-invalid", String(fault !== ""));
    tell(byId(`${input.id}-fault`), fault);
  }
}

/** A number where one is wanted and given; else the text, for the gateway to name what is wrong.
 * @param {HTMLInputElement} input */
function valueOf(input) {
  const text = input.value.trim();
  const value = Number(text);
  return input.inputMode && Number.isFinite(value) ? value : text;
}

/**
 * Say whether a button can be used now. One that cannot keeps its focus.
 *
 * @param {HTMLElement} button
 * @param {boolean} can
 */
export function enable(button, can) {
  button.setAttribute("aria-disabled", String(!can));
}

/** @param {HTMLElement} button */
export function isEnabled(button) {
  return button.getAttribute("aria-disabled") !== "true";
}
