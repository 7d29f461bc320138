/**
 * The deferred vehicles: they wait for a better point although one is free.
 *
 * @import { Grid, LeftInLine } from "./api.js"
 */
import { paint } from "./colours.js";
import { byId, cloneTemplate, setText } from "./page.js";
import { ahead, lasting } from "./formatting.js";

export class DeferredList {
  constructor() {
    this.place = byId("left");
    const { root, slots } = cloneTemplate("left-box");
    this.box = root;
    this.list = slots.list;
  }

  /** @param {Grid} grid */
  show({ left_in_line: left }) {
    this.list.replaceChildren(...left.map(row));
    if (this.place.hidden !== !left.length) {
      this.place.hidden = !left.length;
      this.place.replaceChildren(...(left.length ? [this.box] : []));
    }
  }
}

/** @param {LeftInLine} left */
function row(left) {
  const { root, slots } = cloneTemplate("left-vehicle");
  root.title = `Session ${left.session_id}, waiting for ${lasting(left.waited_s)}`;
  setText(slots.vehicle, left.vehicle_id);
  setText(slots.substation, left.substation);
  paint(root, left.substation);
  const { predicted_start_s: start, predicted_finish_s: finish } = left;
  const times = [
    ...(start === null ? [] : [`a point is free ${within(start)}`]),
    ...(finish === null ? [] : [`charged ${within(finish)}`]),
  ];
  setText(slots.when, times.length ? `: ${times.join(", ")}` : "");
  return root;
}

/** @param {number} seconds */
function within(seconds) {
  const text = ahead(seconds);
  return text === "now" ? text : `in ${text}`;
}
