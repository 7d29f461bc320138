/** Puts the page together: what the feed brings goes to each part that shows some of it. */
import { Problem } from "./api.js";
import { Cards } from "./cards.js";
import { ChargeForm } from "./charge.js";
import { Chart } from "./chart.js";
import { DecisionList } from "./decisions.js";
import { Feed } from "./feed.js";
import { Figures } from "./figures.js";
import { History } from "./history.js";
import { KeyEntry } from "./key.js";
import { Link } from "./link.js";
import { Pace } from "./pace.js";
import { RushHourPanel } from "./rush_hour.js";

const link = new Link();
const cards = new Cards();
const figures = new Figures();
const history = new History();
const chart = new Chart();
const decisions = new DecisionList();
const pace = new Pace();
const rushHour = new RushHourPanel();
new ChargeForm();

const keyEntry = new KeyEntry(() => feed.again());
const feed = new Feed({
  round(round) {
    const { substations } = round.grid;
    const at = performance.now();
    link.live();
    keyEntry.hide();
    cards.show(round.grid);
    pace.add(round.decisions, round.fromStart);
    figures.show(round.grid, pace.at(round.now));
    decisions.add(round.decisions);
    history.add(at, substations);
    chart.show(history, at, Math.max(0, ...substations.map(({ capacity }) => capacity ?? 0)));
  },
  rushHour: (progress) => rushHour.show(progress),
  trouble(why) {
    const wantsKey = why instanceof Problem && why.wantsKey;
    if (wantsKey) {
      link.locked();
      keyEntry.show(why.message);
    } else {
      link.lost(why.message);
    }
    return !wantsKey;
  },
});
feed.start();
