/**
 * The figures of the whole grid.
 *
 * @import { Grid, Substation } from "./api.js"
 */
import { overCapacity } from "./attention.js";
import { byId, say } from "./page.js";
import { counted, number } from "./formatting.js";

export class Figures {
  /** @param {Grid} grid @param {number | null} pace charges a minute */
  show(grid, pace) {
    // A substation that is down may hold anything: it is counted neither way.
    const alive = grid.substations.filter(({ health }) => health === "up" || health === "draining");
    const total = (/** @type {"load" | "capacity"} */ what) =>
      alive.reduce((sum, substation) => sum + (substation[what] ?? 0), 0);
    const over = alive.reduce((sum, substation) => sum + overCapacity(substation), 0);
    const up = alive.filter(({ health }) => health === "up").length;
    say(byId("figure-charging"), number(total("load")));
    say(byId("figure-points"), `of ${counted(total("capacity"), "point")}`);
    say(byId("figure-over"), over ? `${number(over)} over capacity` : "");
    say(byId("figure-waiting"), number(grid.waiting));
    const { length: left } = grid.left_in_line;
    say(byId("figure-purpose"), left ? `${number(left)} on purpose` : "");
    say(byId("figure-pace"), pace === null ? "–" : number(pace));
    say(byId("figure-up"), number(up));
    say(byId("figure-substations"), `of ${number(grid.substations.length)}`);
    const [drawn, limit] = totalPower(alive);
    say(byId("figure-power"), drawn);
    say(byId("figure-limit"), limit);
    say(byId("policy"), grid.policy);
  }
}

/**
 * Sum up what is published, and say how much of the grid that is.
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
