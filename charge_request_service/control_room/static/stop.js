/**
 * Stops a session after confirmation.
 *
 * @import { Session } from "./api.js"
 */
import { call } from "./api.js";
import { confirm } from "./confirm.js";
import { number } from "./formatting.js";

/** @param {Session} session @param {(session: Session) => void} stopped called with its new state */
export function askToStop(session, stopped) {
  const { vehicle_id: vehicle, kwh } = session;
  const got = number(session.energy_kwh ?? 0, 2);
  confirm({
    title: `Stop the charge of ${vehicle}?`,
    text: `It has ${got} of ${number(kwh, 2)} kWh. It gets no more, and frees its point.`,
    action: "Stop the charge",
    async act() {
      const path = `sessions/${encodeURIComponent(session.session_id)}`;
      const { answer } = await call("DELETE", path);
      stopped(answer);
      return `${vehicle} is ${answer.state}, with ${number(answer.energy_kwh ?? 0, 2)} kWh`;
    },
  });
}
