/**
 * A card for each substation.
 *
 * @import { Grid, Substation } from "./api.js"
 */
import { paint } from "./hues.js";
import { announce, byId, make, say, stamp } from "./page.js";
import { counted, lasting, number } from "./words.js";

/** More points than this are drawn as shares of one bar. */
const MOST_CELLS = 48;
const HEALTH = { unknown: "Not known yet", up: "Up", draining: "Draining", down: "Down" };

export class Cards {
  constructor() {
    this.list = byId("cards");
    this.problem = byId("cards-problem");
    /** @type {Map<string, Card>} by address: two sites may share a name */
    this.cards = new Map();
  }

  /** @param {Grid} grid */
  show({ substations, configuration_problem: problem }) {
    say(this.problem, problem ? `The file of substations is not in use: ${problem}` : "");
    this.problem.hidden = !problem;
    byId("cards-nothing").hidden = substations.length > 0;
    const present = new Set(substations.map((site) => site.address));
    for (const [address, card] of this.cards) {
      if (!present.has(address)) {
        card.root.remove();
        this.cards.delete(address);
      }
    }
    for (const site of substations) {
      let card = this.cards.get(site.address);
      if (!card) {
        card = new Card(site);
        this.cards.set(site.address, card);
        this.list.append(card.root);
      }
      card.show(site);
    }
  }
}

class Card {
  /** @param {Substation} site */
  constructor(site) {
    const { root, slots } = stamp("card");
    this.root = root;
    this.slots = slots;
    /** @type {string | null} */
    this.health = null;
    this.drawn = "";
    say(slots.name, site.name);
    root.dataset.substation = site.name;
    root.title = site.address;
    paint(root, site.name);
  }

  /** @param {Substation} site */
  show(site) {
    const { slots } = this;
    const known = site.capacity !== null;
    const isUp = site.health === "up";
    this.tellHealth(site);
    say(slots.load, known ? number(site.load) : "–");
    say(slots.of, known ? `of ${counted(site.capacity ?? 0, "point")}` : "");
    say(slots.free, freeText(site));
    this.root.dataset.full = String(known && isUp && site.load >= (site.capacity ?? 0));
    this.drawPoints(site);
    say(slots.reason, isUp ? "" : (site.reason ?? ""));
    slots.reason.hidden = isUp || !site.reason;
    say(slots.warning, site.warning ?? "");
    slots.warning.hidden = !site.warning;
    this.showPower(site);
    say(slots.own, number(site.own_load));
    say(slots.foreign, number(site.foreign_load));
    say(
      slots.gauge,
      site.gauge_age_s === null ? "never read" : `${site.gauge}, ${lasting(site.gauge_age_s)} old`,
    );
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
  showPower({ power_kw: power, power_limit_kw: limit }) {
    const known = power !== null && limit !== null;
    say(this.slots.power, known ? `${number(power)} of ${number(limit)} kW` : "not published");
    this.slots["power-bar"].hidden = !known;
    if (known) {
      const share = limit > 0 ? Math.min(1, power / limit) : 0;
      this.slots["power-bar"].style.setProperty("--share", share.toFixed(3));
    }
  }

  /** One cell for each point, own vehicles first. @param {Substation} site */
  drawPoints(site) {
    const capacity = site.capacity ?? 0;
    const own = Math.min(site.own_load, capacity);
    const foreign = Math.min(site.foreign_load, capacity - own);
    const drawn = `${own} ${foreign} ${capacity}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const parts = /** @type {[string, number][]} */ ([
      ["own", own],
      ["foreign", foreign],
      ["free", capacity - own - foreign],
    ]);
    const { points } = this.slots;
    if (capacity > MOST_CELLS) {
      points.replaceChildren(
        ...parts
          .filter(([, count]) => count > 0)
          .map(([kind, count]) => {
            const part = make("i", kind);
            part.style.flexGrow = String(count);
            return part;
          }),
      );
    } else {
      points.replaceChildren(
        ...parts.flatMap(([kind, count]) => Array.from({ length: count }, () => make("i", kind))),
      );
    }
  }
}

/** @param {Substation} site */
function freeText(site) {
  if (site.capacity === null) return "";
  if (site.health === "down") return "As last known";
  const free = site.capacity - site.load;
  if (site.health === "draining") return "Takes no new vehicle";
  return free > 0 ? counted(free, "point free", "points free") : "Full";
}
