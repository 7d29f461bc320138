/**
 * A card for each substation. Those that need attention come first.
 *
 * @import { Grid, Substation } from "./api.js"
 * @import { History } from "./history.js"
 */
import { byUrgency, needs } from "./attention.js";
import { Card } from "./card.js";
import { byId, setMessage, setText } from "./page.js";
import { number } from "./formatting.js";

/** Power lines move by less than a pixel in this time. */
const SPARKS_EVERY_MS = 1000;

export class Cards {
  constructor() {
    this.list = byId("cards");
    this.problem = byId("cards-problem");
    /** @type {Map<string, Card>} by address: two substations may share a name */
    this.cards = new Map();
    this.sparked = -Infinity;
  }

  /** @param {Grid} grid @param {History} history @param {number} at */
  show({ substations, configuration_problem: problem }, history, at) {
    setMessage(this.problem, problem ? `The substations file is not in use: ${problem}` : "");
    this.problem.hidden = !problem;
    byId("cards-nothing").hidden = substations.length > 0;
    const present = new Set(substations.map((substation) => substation.address));
    for (const [address, card] of this.cards) {
      if (!present.has(address)) {
        card.root.remove();
        this.cards.delete(address);
      }
    }
    for (const substation of substations) {
      const card = this.cards.get(substation.address) ?? new Card(substation);
      this.cards.set(substation.address, card);
      card.show(substation);
    }
    this.order(byUrgency(substations));
    this.countThoseInNeed(substations);
    if (at - this.sparked < SPARKS_EVERY_MS) return;
    this.sparked = at;
    for (const card of this.cards.values()) card.showHistory(history, at);
  }

  /** Move only the cards that are out of place. @param {Substation[]} substations */
  order(substations) {
    let next = this.list.firstElementChild;
    for (const { address } of substations) {
      const root = /** @type {Card} */ (this.cards.get(address)).root;
      if (root === next) next = next.nextElementSibling;
      else this.list.insertBefore(root, next);
    }
  }

  /** @param {Substation[]} substations */
  countThoseInNeed(substations) {
    const count = substations.filter((substation) => needs(substation)).length;
    const verb = count === 1 ? "needs" : "need";
    setText(byId("cards-needs"), count ? `${number(count)} of ${number(substations.length)} ${verb} attention` : "");
  }
}
