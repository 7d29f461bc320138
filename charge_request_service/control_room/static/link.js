/** The state of the connection: whether the page is live, and otherwise how old its data is. */
import { ago, clock } from "./formatting.js";
import { byId, setMessage, setText } from "./page.js";

export class Link {
  constructor() {
    this.mark = byId("link");
    this.text = byId("link-text");
    this.box = byId("trouble");
    this.why = byId("trouble-text");
    this.age = byId("trouble-age");
    /** @type {number | null} time of the last successful round, ms of performance.now() */
    this.seen = null;
    this.title = document.title;
    setInterval(() => this.showAge(), 1000);
  }

  /** The grid has responded. */
  live() {
    this.seen = performance.now();
    this.box.hidden = true;
    setText(this.why, "");
    setText(this.text, `Live at ${clock(new Date())}`);
    this.turn("live");
  }

  /** The grid has not responded. @param {string} why */
  lost(why) {
    this.box.hidden = false;
    setMessage(this.why, why);
    setText(this.text, "Not live");
    this.turn("lost");
    this.showAge();
  }

  /** The grid requires a key. */
  locked() {
    this.box.hidden = true;
    setText(this.text, "Needs an API key");
    this.turn("lost");
  }

  /** @param {"live" | "lost"} state */
  turn(state) {
    this.mark.dataset.state = state;
    document.title = state === "lost" ? `Not live · ${this.title}` : this.title;
    document.body.classList.toggle("is-old", state === "lost" && this.seen !== null);
  }

  showAge() {
    if (this.mark.dataset.state !== "lost") return;
    const shown =
      this.seen === null
        ? "Nothing has been received yet."
        : `What is shown is from ${ago((performance.now() - this.seen) / 1000)}.`;
    setText(this.age, `${shown} Retrying automatically.`);
  }
}
