/** A dialog that confirms an action, runs it, and shows its error. */
import { enable, isEnabled } from "./entry.js";
import { announce, cloneTemplate, setMessage, setText } from "./page.js";

/**
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.text
 * @param {string} question.action what the button says that does it
 * @param {() => Promise<string>} question.act does it; returns a message about the result
 */
export function confirm({ title, text, action, act }) {
  const { root, slots } = cloneTemplate("confirm");
  const dialog = /** @type {HTMLDialogElement} */ (root);
  setText(slots.title, title);
  setMessage(slots.text, text);
  setText(slots.act, action);
  slots.cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  slots.act.addEventListener("click", async () => {
    if (!isEnabled(slots.act)) return;
    enable(slots.act, false);
    setText(slots.fault, "");
    setText(slots.act, `${action} …`);
    try {
      const message = await act();
      dialog.close();
      announce(message); // screen readers do not read behind an open dialog
    } catch (error) {
      setMessage(slots.fault, error instanceof Error ? error.message : String(error));
    }
    setText(slots.act, action);
    enable(slots.act, true);
  });
  document.body.append(dialog);
  dialog.showModal();
}
