/**
 * Explanations of the page's terms: shown while the pointer is on a term or on its explanation, or
 * the focus is on the term; put away with Escape.
 */
import { byId, setText } from "./page.js";

const GAP_PX = 6;

export class Tips {
  constructor() {
    this.tip = byId("tip");
    /** @type {HTMLElement | null} the term that is explained now */
    this.term = null;
    document.addEventListener("pointerover", (event) => this.point(event.target));
    document.addEventListener("focusin", (event) => this.turn(termOf(event.target)));
    document.addEventListener("focusout", () => this.turn(null));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.turn(null));
    window.addEventListener("scroll", () => this.turn(this.term), { capture: true, passive: true });
  }

  /** @param {EventTarget | null} target */
  point(target) {
    if (target instanceof Node && this.tip.contains(target)) return;
    this.turn(termOf(target) ?? termOf(document.activeElement));
  }

  /** @param {HTMLElement | null} term */
  turn(term) {
    this.term = term;
    this.tip.hidden = term === null;
    if (!term) return;
    setText(this.tip, byId(`tip-${term.dataset.tip}`).textContent ?? "");
    const { left, bottom, top } = term.getBoundingClientRect();
    const { width, height } = this.tip.getBoundingClientRect();
    const fits = bottom + GAP_PX + height <= innerHeight;
    const most = document.documentElement.clientWidth - width - GAP_PX;
    this.tip.style.left = `${Math.max(GAP_PX, Math.min(left, most))}px`;
    this.tip.style.top = `${fits ? bottom + GAP_PX : top - GAP_PX - height}px`;
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function termOf(target) {
  return target instanceof Element ? target.closest("[data-tip]") : null;
}
