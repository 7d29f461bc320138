/** The form that charges one vehicle. Its request is held while the vehicle charges. */
import { call } from "./api.js";
import { enable, Entry, isEnabled } from "./entry.js";
import { byId, setMessage, setText } from "./page.js";
import { counted, lasting, number } from "./formatting.js";

export class ChargeForm {
  constructor() {
    this.entry = new Entry("charge");
    this.start = byId("charge-start");
    this.stop = byId("charge-stop");
    this.answer = byId("charge-answer");
    /** @type {AbortController | null} */
    this.charging = null;
    this.entry.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (isEnabled(this.start)) this.charge();
    });
    this.stop.addEventListener("click", () => this.charging?.abort());
  }

  async charge() {
    this.charging = new AbortController();
    this.turn(true);
    this.entry.clear();
    setText(this.answer, "Charging …");
    try {
      const options = { body: this.entry.values(), signal: this.charging.signal };
      const { answer } = await call("POST", "charge", options);
      setMessage(this.answer, summary(answer));
    } catch (error) {
      const hungUp = error instanceof Error && error.name === "AbortError";
      setText(this.answer, hungUp ? "Disconnected; the vehicle stopped charging." : "");
      if (!hungUp) this.entry.show(error);
    }
    this.turn(false);
  }

  /** @param {boolean} charging */
  turn(charging) {
    enable(this.start, !charging);
    enable(this.stop, charging);
  }
}

/** @param {{status: string, vehicle_id: string, kwh: number, substation: string, attempts: number,
 *   waited_s: number, charging_s: number}} answer */
function summary(answer) {
  const { vehicle_id: vehicle, kwh, substation, attempts, waited_s: waited } = answer;
  if (answer.status !== "charged") return `${vehicle} is charging at ${substation}.`;
  const times = attempts > 1 ? `, ${counted(attempts, "attempt")}` : "";
  const took = lasting(answer.charging_s);
  const got = `${vehicle} charged ${number(kwh, 2)} kWh at ${substation} in ${took}`;
  return `${got}; it waited ${lasting(waited)}${times}.`;
}
