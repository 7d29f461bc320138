/**
 * The totals of today's sessions.
 *
 * @import { Totals } from "./api.js"
 */
import { call, Problem } from "./api.js";
import { byId, setMessage, setText } from "./page.js";
import { Repeat } from "./repeat.js";
import { clock, number } from "./formatting.js";

const EVERY_MS = 15_000;

export class TodaysTotals {
  constructor() {
    this.repeat = new Repeat(EVERY_MS, (signal) => this.ask(signal));
  }

  /** Ask, or do not: a gateway that wants a key is asked once there is one. @param {boolean} allowed */
  allow(allowed) {
    this.repeat.turn(allowed);
  }

  /** @param {AbortSignal} signal */
  async ask(signal) {
    const fault = byId("today-fault");
    try {
      const { answer } = await call("GET", "totals", { signal });
      this.show(answer);
      setText(fault, "");
    } catch (error) {
      if (error instanceof Problem && error.wantsKey) return;
      setMessage(fault, `Not live. ${error instanceof Error ? error.message : String(error)}`);
    }
    fault.hidden = fault.textContent === "";
  }

  /** @param {Totals} totals */
  show(totals) {
    const least = totals.complete ? "" : "at least ";
    setText(byId("today-since"), `Since ${clock(new Date(totals.since)).slice(0, 5)}`);
    setText(byId("today-vehicles"), least + number(totals.vehicles));
    setText(byId("today-energy"), `${least}${number(totals.energy_kwh, totals.energy_kwh < 100 ? 1 : 0)} kWh`);
    setText(byId("today-charged"), number(totals.charged));
    setText(byId("today-stopped"), number(totals.stopped));
    setText(byId("today-refused"), number(totals.refused));
    byId("today").dataset.refused = String(totals.refused > 0);
  }
}
