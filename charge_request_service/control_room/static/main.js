/** Connects the parts of the page: each gets the feed's rounds. */
import { Problem } from "./api.js";
import { Cards } from "./cards.js";
import { ChargeForm } from "./charge.js";
import { Chart } from "./chart.js";
import { DecisionList } from "./decisions.js";
import { Feed } from "./feed.js";
import { Figures } from "./figures.js";
import { History } from "./history.js";
import { KeyEntry } from "./key.js";
import { DeferredList } from "./deferred.js";
import { Link } from "./link.js";
import { Pace } from "./pace.js";
import { RushHourPanel } from "./rush_hour.js";
import { SessionPanel } from "./session.js";
import { SessionList } from "./sessions.js";
import { Tips } from "./tips.js";
import { TodaysTotals } from "./totals.js";

const link = new Link();
const cards = new Cards();
const figures = new Figures();
const history = new History();
const chart = new Chart();
const decisions = new DecisionList();
const deferred = new DeferredList();
const pace = new Pace();
const rushHour = new RushHourPanel();
const byTheLedger = [new TodaysTotals(), new SessionList(), new SessionPanel()];
new ChargeForm();
new Tips();

const keyEntry = new KeyEntry(() => feed.again());
const feed = new Feed({
  round(round) {
    const { substations } = round.grid;
    const at = performance.now();
    link.live();
    keyEntry.hide();
    for (const part of byTheLedger) part.allow(true);
    if (round.history) history.begin(round.history, at);
    history.add(at, substations);
    cards.show(round.grid, history, at);
    pace.add(round.decisions, round.fromStart);
    figures.show(round.grid, pace.at(round.now));
    decisions.add(round.decisions);
    deferred.show(round.grid);
    chart.show(history, at, substations);
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
    for (const part of byTheLedger) part.allow(!wantsKey); // the ledger may answer all the same
    return !wantsKey;
  },
});
feed.start();
