/**
 * The figures of the whole grid.
 *
 * @import { Grid, Substation } from "./api.js"
 */
import { overCapacity, responds } from "./attention.js";
import { byId, setText } from "./page.js";
import { counted, number } from "./formatting.js";

export class Figures {
  /** @param {Grid} grid @param {number | null} pace charges a minute */
  show(grid, pace) {
    // The load of a substation that is down is unknown: do not count it.
    const alive = grid.substations.filter(({ health }) => responds(health));
    const total = (/** @type {"load" | "capacity"} */ what) =>
      alive.reduce((sum, substation) => sum + (substation[what] ?? 0), 0);
    const over = alive.reduce((sum, substation) => sum + overCapacity(substation), 0);
    const up = alive.filter(({ health }) => health === "up").length;
    setText(byId("figure-charging"), number(total("load")));
    setText(byId("figure-points"), `of ${counted(total("capacity"), "point")}`);
    setText(byId("figure-over"), over ? `${number(over)} over capacity` : "");
    setText(byId("figure-waiting"), number(grid.waiting));
    const { length: left } = grid.left_in_line;
    setText(byId("figure-purpose"), left ? `${number(left)} on purpose` : "");
    setText(byId("figure-pace"), pace === null ? "–" : number(pace));
    setText(byId("figure-up"), number(up));
    setText(byId("figure-substations"), `of ${number(grid.substations.length)}`);
    const [drawn, limit] = totalPower(alive);
    setText(byId("figure-power"), drawn);
    setText(byId("figure-limit"), limit);
    setText(byId("policy"), grid.policy);
  }
}

/**
 * Sum up what is published, and show how much of the grid publishes it.
 *
 * @param {Substation[]} alive
 * @returns {[string, string]} the power drawn, and what it is measured by
 */
export function totalPower(alive) {
  const telling = alive.filter(({ power_kw: power }) => power !== null);
  if (!telling.length) return ["–", alive.length ? "not published" : ""];
  const drawn = telling.reduce((sum, { power_kw: power }) => sum + (power ?? 0), 0);
  const limits = telling.map(({ power_limit_kw: limit }) => limit);
  const limit = limits.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0);
  const part = telling.length < alive.length ? `, ${counted(telling.length, "substation")}` : "";
  return [number(drawn), `${limit === null ? "" : `of ${number(limit)} `}kW${part}`];
}
