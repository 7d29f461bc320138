/**
 * Which substations need an operator's attention, and how urgently.
 *
 * @import { Health, Substation } from "./api.js"
 */

/** Whether the last poll was answered, so that what it found still holds. @param {Health} health */
export function responds(health) {
  return health !== "unknown" && health !== "down";
}

/** Number of vehicles beyond the number of points. @param {Substation} substation */
export function overCapacity({ capacity, load }) {
  return capacity === null ? 0 : Math.max(0, load - capacity);
}

/**
 * The most urgent fault, or null if there is none. A full substation is not a fault.
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
 * Substations that need attention first, the others in the balancer's order.
 *
 * @param {Substation[]} substations
 */
export function byUrgency(substations) {
  return substations.toSorted((one, other) => URGENCY.indexOf(needs(one)) - URGENCY.indexOf(needs(other)));
}
