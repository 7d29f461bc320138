/**
 * The rush hour, which the gateway runs: starts, stops and shows it.
 *
 * @import { RushHour } from "./api.js"
 */
import { call } from "./api.js";
import { enable, Entry, isEnabled } from "./entry.js";
import { announce, byId, setMessage, setText } from "./page.js";
import { counted, lasting, number } from "./formatting.js";

export class RushHourPanel {
  constructor() {
    this.entry = new Entry("rush");
    this.start = byId("rush-start");
    this.stop = byId("rush-stop");
    this.bar = byId("rush-bar");
    /** @type {string | null} */
    this.state = null;
    this.busy = false;
    this.entry.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (isEnabled(this.start)) this.send("POST", this.entry.values());
    });
    this.stop.addEventListener("click", () => {
      if (isEnabled(this.stop)) this.send("DELETE");
    });
  }

  /** @param {"POST" | "DELETE"} method @param {object} [body] */
  async send(method, body) {
    this.entry.clear();
    this.busy = true; // what a poll brings meanwhile may be from before
    try {
      const { answer } = await call(method, "rush-hour", { body });
      this.busy = false;
      this.show(answer);
    } catch (error) {
      this.busy = false;
      this.entry.show(error);
    }
  }

  /** @param {RushHour} rush */
  show(rush) {
    if (this.busy) return;
    const isOn = rush.state === "running" || rush.state === "stopping";
    enable(this.start, !isOn);
    enable(this.stop, rush.state === "running");
    if (rush.state === "idle") return;
    const summary = summed(rush);
    setText(byId("rush-summary"), summary);
    if (this.state === "running" && rush.state !== "running") announce(summary);
    this.state = rush.state;
    setText(byId("rush-arrived"), `${number(rush.arrived)} of ${number(rush.vehicles)}`);
    setText(byId("rush-charged"), number(rush.charged));
    setText(byId("rush-active"), number(rush.in_progress));
    setText(byId("rush-lost"), number(rush.lost));
    setMessage(byId("rush-why"), why(rush));
    const { vehicles, charged, in_progress: active, lost } = rush;
    [charged, active, lost, vehicles - charged - active - lost].forEach((share, index) => {
      /** @type {HTMLElement} */ (this.bar.children[index]).style.flexGrow = String(share);
    });
    this.bar.setAttribute("aria-valuemax", String(rush.vehicles));
    this.bar.setAttribute("aria-valuenow", String(rush.charged + rush.lost + rush.hung_up));
    this.bar.setAttribute(
      "aria-valuetext",
      `${rush.charged} charged, ${rush.lost} lost, of ${rush.vehicles}`,
    );
  }
}

/** @param {RushHour} rush */
function summed(rush) {
  const took = lasting(rush.elapsed_s);
  switch (rush.state) {
    case "running":
      return `Running for ${took}`;
    case "stopping":
      return "Stopping: disconnecting its vehicles";
    case "stopped":
      return `Stopped after ${took}`;
    default: {
      const share = rush.charged === rush.vehicles ? "all" : `${number(rush.charged)} of`;
      return `Finished in ${took}: ${share} ${number(rush.vehicles)} charged`;
    }
  }
}

/** @param {RushHour} rush */
function why(rush) {
  const parts = [];
  if (rush.hung_up) parts.push(`${counted(rush.hung_up, "vehicle")} disconnected.`);
  if (rush.why_lost) parts.push(`Last one lost: ${rush.why_lost}`);
  return parts.join(" ");
}
