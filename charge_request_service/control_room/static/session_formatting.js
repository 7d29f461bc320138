/**
 * Formats a session's members for people.
 *
 * @import { Session } from "./api.js"
 */
import { ahead, clock, number, power } from "./formatting.js";

export const STATE = {
  waiting: "Waiting",
  charging: "Charging",
  charged: "Charged",
  stopped: "Stopped",
  refused: "Refused",
};

/** @param {Session} session */
export function isOpen({ ended }) {
  return ended === null;
}

/** @param {Session} session */
export function energyText({ energy_kwh: energy, kwh }) {
  return `${energy === null ? "–" : number(energy, 2)} of ${number(kwh, 2)} kWh`;
}

/** Where it charges, or charged last. One that waits is nowhere, though it may have been. @param {Session} session */
export function placeOf({ state, substation }) {
  return state === "waiting" ? null : substation;
}

/** How much of what it asked for it has, 0 to 1. @param {Session} session */
export function share({ energy_kwh: energy, kwh }) {
  return Math.min(1, (energy ?? 0) / kwh).toFixed(3);
}

/** @param {Session} session */
export function powerText({ power_kw: drawn }) {
  return drawn === null ? "–" : `${power(drawn)} kW`;
}

/** When it ended, or is predicted to. @param {Session} session */
export function endText(session) {
  if (session.ended !== null) return clock(new Date(session.ended));
  const { predicted_end_s: seconds } = session;
  if (seconds === null) return "–";
  const text = ahead(seconds);
  return text === "now" ? text : `in ${text}`;
}
