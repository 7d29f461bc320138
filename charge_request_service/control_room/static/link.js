/** The link to the grid: says whether what is shown is live, and how old it is when it is not. */
import { ago, clock } from "./formatting.js";
import { byId, say, tell } from "./page.js";

export class Link {
  constructor() {
    this.mark = byId("link");
    this.text = byId("link-text");
    this.box = byId("trouble");
    this.why = byId("trouble-text");
    this.age = byId("trouble-age");
    /** @type {number | null} when the last good round came in, ms of performance.now() */
    this.seen = null;
    this.title = document.title;
    setInterval(() => this.tellAge(), 1000);
  }

  /** The grid has answered. */
  live() {
    this.seen = performance.now();
    this.box.hidden = true;
    say(this.why, "");
    say(this.text, `Live at ${clock(new Date())}`);
    this.turn("live");
  }

  /** It has not. @param {string} why */
  lost(why) {
    this.box.hidden = false;
    tell(this.why, why);
    say(this.text, "Not live");
    this.turn("lost");
    this.tellAge();
  }

  /** It has, but only tells those who hold a key. */
  locked() {
    this.box.hidden = true;
    say(this.text, "Needs an API key");
    this.turn("lost");
  }

  /** @param {"live" | "lost"} state */
  turn(state) {
    this.mark.dataset.state = state;
    document.title = state === "lost" ? `Not live · ${this.title}` : this.title;
    document.body.classList.toggle("is-old", state === "lost" && this.seen !== null);
  }

  tellAge() {
    if (this.mark.dataset.state !== "lost") return;
    const shown =
      this.seen === null
        ? "Nothing has been received yet."
        : `What is shown is from ${ago((performance.now() - this.seen) / 1000)}.`;
    say(this.age, `${shown} Retrying automatically.`);
  }
}
