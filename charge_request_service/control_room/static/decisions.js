/**
 * The list of the latest decisions: which vehicle went where, and why.
 *
 * @import { Candidate, Decision } from "./api.js"
 */
import { paint } from "./colours.js";
import { byId, cloneTemplate, make, setMessage, setText } from "./page.js";
import { clock, lasting } from "./formatting.js";

const SHOWN = 60;
/** Candidates beyond these are counted, not listed. */
const MAX_SCORES = 6;

export class DecisionList {
  constructor() {
    this.body = byId("decisions");
    this.hold = byId("decisions-hold");
    /** @type {Decision[]} newest first; not shown yet while the list is held */
    this.pending = [];
    this.hold.addEventListener("click", () => {
      const held = this.hold.getAttribute("aria-pressed") !== "true";
      this.hold.setAttribute("aria-pressed", String(held));
      this.draw();
    });
  }

  /** @param {Decision[]} decisions oldest first */
  add(decisions) {
    this.pending = [...decisions.slice(-SHOWN).reverse(), ...this.pending].slice(0, SHOWN);
    this.draw();
  }

  draw() {
    if (this.hold.getAttribute("aria-pressed") === "true" || !this.pending.length) return;
    this.body.prepend(...this.pending.map(row));
    this.pending = [];
    while (this.body.children.length > SHOWN) this.body.lastElementChild?.remove();
    byId("decisions-nothing").hidden = true;
  }
}

/** @param {Decision} decision */
export function row(decision) {
  const { root, slots } = cloneTemplate("decision");
  const date = new Date(decision.time);
  root.dataset.sequence = String(decision.sequence);
  root.title = `Decision ${decision.sequence}, session ${decision.session_id}`;
  setText(slots.time, `${clock(date)}.${Math.floor(date.getMilliseconds() / 100)}`);
  setText(slots.vehicle, decision.vehicle_id);
  setText(slots.substation, decision.substation);
  paint(root, decision.substation);
  setText(slots.waited, `${decision.waited_s.toFixed(1)} s`);
  const again = decision.attempt > 1 ? `attempt ${decision.attempt}: ` : "";
  setMessage(slots.reason, again + decision.reason);
  setMessage(slots.predicted, predicted(decision));
  slots.scores.append(...scores(decision));
  const passed = decision.passed_over.map(({ substation, why }) => `${substation} ${why}`);
  if (decision.passed_over_left_out) passed.push(`${decision.passed_over_left_out} more`);
  setMessage(slots.passed, passed.join("; "));
  return root;
}

/**
 * The prediction for the vehicle, with the second-best substation and a wait on purpose, if any.
 *
 * @param {Decision} decision
 */
function predicted({ time, predicted: here, next_best: next, left_in_line_for: left }) {
  const parts = [];
  if (here && here.finish_s !== null && here.charging_s !== null) {
    const done = clock(new Date(Date.parse(time) + here.finish_s * 1000));
    parts.push(`predicted to charge for ${lasting(here.charging_s)}, until ${done}`);
    if (next && next.finish_s !== null) {
      const later = next.finish_s - here.finish_s;
      const than = later < 0.05 ? "no later" : `${lasting(later)} later`;
      parts.push(`at ${next.substation} ${than}`);
    }
  }
  if (left) parts.push(`it was deferred for ${left}`);
  return parts.join("; ");
}

/** The chosen one first, then by score. @param {Decision} decision */
function scores(decision) {
  const rank = (/** @type {Candidate} */ { substation, score }) =>
    substation === decision.substation ? -1 : score;
  const ranked = [...decision.candidates].sort((one, other) => rank(one) - rank(other));
  const list = ranked.slice(0, MAX_SCORES).map((candidate) => {
    const { substation, load, capacity, score } = candidate;
    const chosen = substation === decision.substation;
    const item = make("span", chosen ? "score chosen" : "score");
    item.append(make("span", "", `${substation} `), make("b", "", score.toFixed(2)));
    item.title = `(${load} + 1) / ${capacity}${chosen ? ", chosen" : ""}`;
    return item;
  });
  const more = ranked.length - list.length + decision.candidates_left_out;
  if (more > 0) list.push(make("span", "score", `${more} more`));
  return list;
}
