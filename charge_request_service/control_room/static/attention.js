/**
 * Which substations need an operator's attention, and how urgently.
 *
 * @import { Substation } from "./api.js"
 */

/** Vehicles beyond the points that there are. @param {Substation} substation */
export function overCapacity({ capacity, load }) {
  return capacity === null ? 0 : Math.max(0, load - capacity);
}

/**
 * What is wrong, from the most urgent on; null where nothing is. To be full is no fault.
 *
 * @param {Substation} substation
 * @returns {"down" | "over" | "doubt" | null}
 */
export function needs(substation) {
  if (substation.health === "down") return "down";
  if (overCapacity(substation)) return "over";
  if (substation.health !== "up" || substation.reason || substation.warning) return "doubt";
  return null;
}

const URGENCY = ["down", "over", "doubt", null];

/**
 * What needs attention comes first, all else stays in the balancer's order.
 *
 * @param {Substation[]} substations
 */
export function byUrgency(substations) {
  return substations.toSorted((one, other) => URGENCY.indexOf(needs(one)) - URGENCY.indexOf(needs(other)));
}
