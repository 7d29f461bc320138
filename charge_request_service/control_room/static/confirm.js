/** Asks whether something is really to be done, does it, and says what went wrong. */
import { enable, isEnabled } from "./entry.js";
import { announce, say, stamp, tell } from "./page.js";

/**
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.text
 * @param {string} question.action what the button says that does it
 * @param {() => Promise<string>} question.act does it; returns what to tell of it
 */
export function confirm({ title, text, action, act }) {
  const { root, slots } = stamp("confirm");
  const dialog = /** @type {HTMLDialogElement} */ (root);
  say(slots.title, title);
  tell(slots.text, text);
  say(slots.act, action);
  slots.cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  slots.act.addEventListener("click", async () => {
    if (!isEnabled(slots.act)) return;
    enable(slots.act, false);
    say(slots.fault, "");
    say(slots.act, `${action} …`);
    try {
      const told = await act();
      dialog.close();
      announce(told); // what is behind an open dialog is not read out
    } catch (error) {
      tell(slots.fault, error instanceof Error ? error.message : String(error));
    }
    say(slots.act, action);
    enable(slots.act, true);
  });
  document.body.append(dialog);
  dialog.showModal();
}
