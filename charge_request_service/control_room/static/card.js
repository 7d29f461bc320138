/**
 * One substation's card.
 *
 * @import { Health, Substation } from "./api.js"
 * @import { History } from "./history.js"
 */
import { advice } from "./advice.js";
import { needs, overCapacity, responds } from "./attention.js";
import { askToDrain } from "./drain.js";
import { paint } from "./colours.js";
import { announce, cloneTemplate, make, setMessage, setText } from "./page.js";
import { Spark } from "./spark.js";
import { ahead, clock, counted, lasting, number, power } from "./formatting.js";

/** A substation with more points than this has a single bar with shares. */
const MAX_CELLS = 48;
/** @type {Record<Health, string>} */
const HEALTH = { unknown: "Not known yet", up: "Up", draining: "Draining", down: "Down" };

export class Card {
  /** @param {Substation} substation */
  constructor(substation) {
    const { root, slots } = cloneTemplate("card");
    this.root = root;
    this.slots = slots;
    this.name = "";
    this.spark = new Spark();
    slots.spark.append(this.spark.svg);
    /** @type {string | null} */
    this.health = null;
    this.drawn = "";
    root.title = substation.address;
    this.substation = substation;
    slots.drain.addEventListener("click", () => askToDrain(this.substation));
  }

  /** @param {Substation} substation */
  show(substation) {
    const { slots } = this;
    this.substation = substation;
    const known = substation.capacity !== null;
    const isUp = substation.health === "up";
    this.tellName(substation.name);
    this.tellHealth(substation);
    this.root.dataset.needs = needs(substation) ?? "nothing";
    setText(slots.load, known ? number(substation.load) : "–");
    setText(slots.of, known ? `of ${counted(substation.capacity ?? 0, "point")}` : "");
    setText(slots.free, freeText(substation));
    this.root.dataset.full = String(known && isUp && substation.load >= (substation.capacity ?? 0));
    this.drawPoints(substation);
    show(slots.reason, substation.reason ?? "");
    show(slots.warning, substation.warning ?? "");
    this.showAdvice(substation);
    this.showPower(substation);
    setText(slots.own, number(substation.own_load));
    setText(slots.foreign, number(substation.foreign_load));
    setText(
      slots.gauge,
      substation.gauge_age_s === null ? "never read" : `${substation.gauge}, ${lasting(substation.gauge_age_s)} old`,
    );
  }

  /** The name of an address may change while the grid runs. @param {string} name */
  tellName(name) {
    if (name === this.name) return;
    this.name = name;
    setMessage(this.slots.name, name);
    this.root.dataset.substation = name;
    paint(this.root, name);
  }

  /** @param {Substation} substation */
  tellHealth(substation) {
    if (substation.health === this.health) return;
    if (this.health !== null) {
      announce(`${substation.name}: ${HEALTH[substation.health]}${substation.reason ? `, ${substation.reason}` : ""}`);
    }
    this.health = substation.health;
    this.root.dataset.health = substation.health;
    setText(this.slots.health, HEALTH[substation.health]);
  }

  /** @param {Substation} substation */
  showAdvice(substation) {
    const { slots } = this;
    const hint = advice(substation);
    slots.advice.hidden = hint === null;
    setMessage(slots.todo, hint?.todo ?? "");
    setMessage(slots.look, hint ? `Look at ${hint.look}.` : "");
    const action = substation.drained ? "Undrain" : "Drain";
    setText(slots.drain, action);
    if (slots.drain.ariaLabel !== `${action} ${substation.name}`) slots.drain.ariaLabel = `${action} ${substation.name}`;
  }

  /** The power at the last poll of a substation that is down means nothing now. @param {Substation} substation */
  showPower(substation) {
    const { slots } = this;
    const isKnown = responds(substation.health);
    const { power_kw: drawn, power_limit_kw: limit } = substation;
    const { committed_power_kw: committed, remaining_energy_kwh: energy } = substation;
    setText(slots.power, isKnown ? powerText(drawn, limit) : "–");
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
      done: doneText(substation),
    };
    for (const [name, text] of Object.entries(cells)) {
      slots[`${name}-cell`].hidden = !isKnown || committed === null;
      setText(slots[name], text);
    }
  }

  /** @param {History} history @param {number} now */
  showHistory(history, now) {
    const change = history.limitChange(this.name);
    this.spark.show(history, this.name, now);
    const isKnown = responds(this.substation.health);
    show(
      this.slots.limit,
      change && isKnown
        ? `Limit ${change.to < change.from ? "lowered" : "raised"} from ${power(change.from)} to ` +
            `${power(change.to)} kW at ${clock(new Date(Date.now() - (now - change.at)))}`
        : "",
    );
  }

  /** One cell for each point, own vehicles first; then one for each vehicle beyond them. @param {Substation} substation */
  drawPoints(substation) {
    const capacity = substation.capacity ?? 0;
    const own = Math.min(substation.own_load, capacity);
    const foreign = Math.min(substation.foreign_load, capacity - own);
    const over = overCapacity(substation);
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
      if (capacity + over <= MAX_CELLS) return Array.from({ length: count }, () => make("i", kind));
      if (!count) return [];
      const part = make("i", kind);
      part.style.flexGrow = String(count);
      return [part];
    });
    points.replaceChildren(...cells);
  }
}

/** Set a text, or hide the element if there is none. @param {HTMLElement} element @param {string} text */
function show(element, text) {
  setMessage(element, text);
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
 * @param {Substation} substation
 */
function doneText({ next_finish_s: first, last_finish_s: last }) {
  if (last === null) return "–";
  const [soonest, latest] = [ahead(first ?? last), ahead(last)];
  return soonest === latest ? latest : `${soonest} to ${latest}`;
}

/** @param {Substation} substation */
function freeText(substation) {
  if (substation.capacity === null) return "";
  if (substation.health === "down") return "As last known";
  if (substation.health === "draining") return "Accepts no new vehicle";
  const over = overCapacity(substation);
  if (over) return `${number(over)} over capacity`;
  const free = substation.capacity - substation.load;
  return free > 0 ? counted(free, "point free", "points free") : "Full";
}
