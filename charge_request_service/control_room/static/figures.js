/**
 * The figures of the whole grid.
 *
 * @import { Grid } from "./api.js"
 */
import { byId, say } from "./page.js";
import { counted, number } from "./words.js";

export class Figures {
  /** @param {Grid} grid @param {number | null} pace charges a minute */
  show(grid, pace) {
    // A site that is down may hold anything: it is counted neither way.
    const alive = grid.substations.filter(({ health }) => health === "up" || health === "draining");
    const total = (/** @type {"load" | "capacity" | "power_kw" | "power_limit_kw"} */ what) =>
      alive.reduce((sum, site) => sum + (site[what] ?? 0), 0);
    const up = alive.filter(({ health }) => health === "up").length;
    say(byId("figure-charging"), number(total("load")));
    say(byId("figure-points"), `of ${counted(total("capacity"), "point")}`);
    say(byId("figure-waiting"), number(grid.waiting));
    say(byId("figure-pace"), pace === null ? "–" : number(pace));
    say(byId("figure-up"), number(up));
    say(byId("figure-sites"), `of ${number(grid.substations.length)}`);
    say(byId("figure-power"), number(total("power_kw")));
    say(byId("figure-limit"), `of ${number(total("power_limit_kw"))} kW`);
    say(byId("policy"), grid.policy);
  }
}
