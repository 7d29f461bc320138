/**
 * Drains or undrains a substation after confirmation.
 *
 * @import { Substation } from "./api.js"
 */
import { call } from "./api.js";
import { confirm } from "./confirm.js";
import { counted } from "./formatting.js";

/** @param {Substation} substation */
export function askToDrain({ name, drained, load }) {
  const here = load ? `It finishes the ${counted(load, "vehicle")} there` : "No vehicle is there";
  confirm({
    title: drained ? `Undrain ${name}?` : `Drain ${name}?`,
    text: drained
      ? "It gets vehicles again as soon as it has a free point."
      : `${here}; it gets no new one until it is undrained, or the balancer is restarted.`,
    action: drained ? "Undrain" : "Drain",
    async act() {
      const path = `substations/${encodeURIComponent(name)}/drain`;
      await call(drained ? "DELETE" : "PUT", path);
      return drained ? `${name} gets vehicles again` : `${name} gets no new vehicle`;
    },
  });
}
