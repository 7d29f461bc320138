/**
 * One substation's card.
 *
 * @import { Substation } from "./api.js"
 * @import { History } from "./history.js"
 */
import { advice } from "./advice.js";
import { needs, overCapacity } from "./attention.js";
import { askToDrain } from "./drain.js";
import { paint } from "./colours.js";
import { announce, make, say, stamp, tell } from "./page.js";
import { Spark } from "./spark.js";
import { ahead, clock, counted, lasting, number, power } from "./formatting.js";

/** More points than this are drawn as shares of one bar. */
const MOST_CELLS = 48;
const HEALTH = { unknown: "Not known yet", up: "Up", draining: "Draining", down: "Down" };

export class Card {
  /** @param {Substation} site */
  constructor(site) {
    const { root, slots } = stamp("card");
    this.root = root;
    this.slots = slots;
    this.name = "";
    this.spark = new Spark();
    slots.spark.append(this.spark.svg);
    /** @type {string | null} */
    this.health = null;
    this.drawn = "";
    root.title = site.address;
    this.site = site;
    slots.drain.addEventListener("click", () => askToDrain(this.site));
  }

  /** @param {Substation} site */
  show(site) {
    const { slots } = this;
    this.site = site;
    const known = site.capacity !== null;
    const isUp = site.health === "up";
    this.tellName(site.name);
    this.tellHealth(site);
    this.root.dataset.needs = needs(site) ?? "nothing";
    say(slots.load, known ? number(site.load) : "–");
    say(slots.of, known ? `of ${counted(site.capacity ?? 0, "point")}` : "");
    say(slots.free, freeText(site));
    this.root.dataset.full = String(known && isUp && site.load >= (site.capacity ?? 0));
    this.drawPoints(site);
    show(slots.reason, site.reason ?? "");
    show(slots.warning, site.warning ?? "");
    this.showAdvice(site);
    this.showPower(site);
    say(slots.own, number(site.own_load));
    say(slots.foreign, number(site.foreign_load));
    say(
      slots.gauge,
      site.gauge_age_s === null ? "never read" : `${site.gauge}, ${lasting(site.gauge_age_s)} old`,
    );
  }

  /** An address may be given another name while the grid runs. @param {string} name */
  tellName(name) {
    if (name === this.name) return;
    this.name = name;
    tell(this.slots.name, name);
    this.root.dataset.substation = name;
    paint(this.root, name);
  }

  /** @param {Substation} site */
  tellHealth(site) {
    if (site.health === this.health) return;
    if (this.health !== null) {
      announce(`${site.name}: ${HEALTH[site.health]}${site.reason ? `, ${site.reason}` : ""}`);
    }
    this.health = site.health;
    this.root.dataset.health = site.health;
    say(this.slots.health, HEALTH[site.health]);
  }

  /** @param {Substation} site */
  showAdvice(site) {
    const { slots } = this;
    const told = advice(site);
    slots.advice.hidden = told === null;
    tell(slots.todo, told?.todo ?? "");
    tell(slots.look, told ? `Look at ${told.look}.` : "");
    const action = site.drained ? "Undrain" : "Drain";
    say(slots.drain, action);
    if (slots.drain.ariaLabel !== `${action} ${site.name}`) slots.drain.ariaLabel = `${action} ${site.name}`;
  }

  /** What it drew when it was last heard of says nothing of now. @param {Substation} site */
  showPower(site) {
    const { slots } = this;
    const isKnown = site.health === "up" || site.health === "draining";
    const { power_kw: drawn, power_limit_kw: limit } = site;
    const { committed_power_kw: committed, remaining_energy_kwh: energy } = site;
    say(slots.power, isKnown ? powerText(drawn, limit) : "–");
    const measured = isKnown && drawn !== null && limit !== null && limit > 0;
    slots["power-bar"].hidden = !measured;
    if (measured) {
      const share = (/** @type {number} */ kw) => Math.min(1, kw / limit).toFixed(3);
      slots["power-bar"].style.setProperty("--drawn", share(drawn));
      slots["power-bar"].style.setProperty("--committed", share(committed ?? 0));
    }
    // The balancer knows all of these or none.
    const cells = {
      committed: `${power(committed ?? 0)} kW`,
      energy: `${power(energy ?? 0)} kWh`,
      done: doneText(site),
    };
    for (const [name, text] of Object.entries(cells)) {
      slots[`${name}-cell`].hidden = !isKnown || committed === null;
      say(slots[name], text);
    }
  }

  /** @param {History} history @param {number} now */
  showHistory(history, now) {
    const change = history.limitChange(this.name);
    this.spark.show(history, this.name, now);
    const isKnown = this.health === "up" || this.health === "draining";
    show(
      this.slots.limit,
      change && isKnown
        ? `Limit ${change.to < change.from ? "lowered" : "raised"} from ${power(change.from)} to ` +
            `${power(change.to)} kW at ${clock(new Date(Date.now() - (now - change.at)))}`
        : "",
    );
  }

  /** One cell for each point, own vehicles first; then one for each vehicle beyond them. @param {Substation} site */
  drawPoints(site) {
    const capacity = site.capacity ?? 0;
    const own = Math.min(site.own_load, capacity);
    const foreign = Math.min(site.foreign_load, capacity - own);
    const over = overCapacity(site);
    const drawn = `${own} ${foreign} ${capacity} ${over}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const parts = /** @type {[string, number][]} */ ([
      ["own", own],
      ["foreign", foreign],
      ["free", capacity - own - foreign],
      ["over", over],
    ]);
    const { points } = this.slots;
    const cells = parts.flatMap(([kind, count]) => {
      if (capacity + over <= MOST_CELLS) return Array.from({ length: count }, () => make("i", kind));
      if (!count) return [];
      const part = make("i", kind);
      part.style.flexGrow = String(count);
      return [part];
    });
    points.replaceChildren(...cells);
  }
}

/** Write a text, or show nothing at all. @param {HTMLElement} element @param {string} text */
function show(element, text) {
  tell(element, text);
  element.hidden = !text;
}

/** @param {number | null} drawn @param {number | null} limit */
function powerText(drawn, limit) {
  if (drawn === null) return "not published";
  return limit === null ? `${power(drawn)} kW` : `${power(drawn)} of ${power(limit)} kW`;
}

/**
 * When its own vehicles are predicted to be charged, first to last.
 *
 * @param {Substation} site
 */
function doneText({ next_finish_s: first, last_finish_s: last }) {
  if (last === null) return "–";
  const [soonest, latest] = [ahead(first ?? last), ahead(last)];
  return soonest === latest ? latest : `${soonest} to ${latest}`;
}

/** @param {Substation} site */
function freeText(site) {
  if (site.capacity === null) return "";
  if (site.health === "down") return "As last known";
  if (site.health === "draining") return "Takes no new vehicle";
  const over = overCapacity(site);
  if (over) return `${number(over)} over capacity`;
  const free = site.capacity - site.load;
  return free > 0 ? counted(free, "point free", "points free") : "Full";
}
