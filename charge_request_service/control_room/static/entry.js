/**
 * A form's values, and its errors, each shown at its field.
 *
 * Nothing is validated here: only the gateway knows what it accepts.
 */
import { Problem } from "./api.js";
import { byId, setMessage, setText } from "./page.js";

export class Entry {
  /** @param {string} id of the form; other errors go to `<id>-fault` */
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

  /** Remove all errors. */
  clear() {
    setText(this.fault, "");
    for (const input of this.inputs) this.mark(input, "");
  }

  /** Show an error, at its fields if it names any. @param {unknown} error */
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
    setMessage(this.fault, others.join(" "));
  }

  /** @param {HTMLInputElement} input @param {string} fault */
  mark(input, fault) {
    input.setAttribute("aria-invalid", String(fault !== ""));
    setMessage(byId(`${input.id}-fault`), fault);
  }
}

/** A number if the field takes one and has one; otherwise the text, which the gateway then rejects.
 * @param {HTMLInputElement} input */
function valueOf(input) {
  const text = input.value.trim();
  const value = Number(text);
  return input.inputMode && Number.isFinite(value) ? value : text;
}

/**
 * Enable or disable a button. A disabled one keeps its focus.
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
