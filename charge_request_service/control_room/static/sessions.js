/**
 * The list of sessions, in pages: only the current page is fetched, and only while it is visible.
 *
 * @import { Session } from "./api.js"
 */
import { call, Problem } from "./api.js";
import { paint } from "./colours.js";
import { byId, cloneTemplate, make, setMessage, setText } from "./page.js";
import { Repeat } from "./repeat.js";
import { endText, energyText, isOpen, placeOf, powerText, share, STATE } from "./session_formatting.js";
import { askToStop } from "./stop.js";
import { enable, isEnabled } from "./entry.js";

const ROWS = 25;
const EVERY_MS = 2000;

export class SessionList {
  constructor() {
    this.panel = byId("sessions-panel");
    this.body = byId("sessions");
    this.form = /** @type {HTMLFormElement} */ (byId("sessions-filter"));
    this.state = /** @type {HTMLSelectElement} */ (byId("sessions-state"));
    this.vehicle = /** @type {HTMLInputElement} */ (byId("sessions-vehicle"));
    this.newer = byId("sessions-newer");
    this.older = byId("sessions-older");
    this.fault = byId("sessions-fault");
    /** @type {Map<string, Row>} by session */
    this.rows = new Map();
    /** The cursors of the pages up to the current one. */
    this.cursors = [""];
    /** @type {string | null} where the one after it does */
    this.next = null;
    this.seen = false;
    this.allowed = false;
    this.repeat = new Repeat(EVERY_MS, (signal) => this.ask(signal));
    new IntersectionObserver((entries) => {
      this.seen = entries.at(-1)?.isIntersecting ?? false;
      this.turn();
    }).observe(this.panel);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.go([""]);
    });
    this.state.addEventListener("change", () => this.go([""]));
    this.newer.addEventListener("click", () => {
      if (isEnabled(this.newer)) this.go(this.cursors.slice(0, -1));
    });
    this.older.addEventListener("click", () => {
      if (isEnabled(this.older) && this.next !== null) this.go([...this.cursors, this.next]);
    });
  }

  /** Ask, or do not: a gateway that wants a key is asked once there is one. @param {boolean} allowed */
  allow(allowed) {
    this.allowed = allowed;
    this.turn();
  }

  turn() {
    this.repeat.turn(this.allowed && this.seen);
  }

  /** Show another page. @param {string[]} cursors */
  go(cursors) {
    this.cursors = cursors;
    this.next = null;
    enable(this.newer, false);
    enable(this.older, false);
    this.repeat.now();
  }

  query() {
    const query = new URLSearchParams({ limit: String(ROWS) });
    const cursor = this.cursors.at(-1);
    if (this.state.value) query.set("state", this.state.value);
    if (this.vehicle.value.trim()) query.set("vehicle_id", this.vehicle.value.trim());
    if (cursor) query.set("cursor", cursor);
    return query.toString();
  }

  /** @param {AbortSignal} signal */
  async ask(signal) {
    const query = this.query();
    try {
      const { answer } = await call("GET", `sessions?${query}`, { signal });
      if (query === this.query()) this.show(answer);
    } catch (error) {
      if (query === this.query()) this.fail(error);
    }
  }

  /** @param {unknown} error */
  fail(error) {
    if (error instanceof Problem && error.wantsKey) return;
    const why = error instanceof Error ? error.message : String(error);
    setMessage(this.fault, `Sessions are not live. ${why}`);
    this.panel.classList.add("is-old");
    enable(this.newer, this.cursors.length > 1); // so that one can go back from where it fails
  }

  /** @param {{sessions: Session[], next: string | null}} page */
  show({ sessions, next }) {
    setText(this.fault, "");
    this.panel.classList.remove("is-old");
    this.next = next;
    this.forget(new Set(sessions.map(({ session_id: id }) => id)));
    let place = this.body.firstElementChild;
    for (const session of sessions) {
      const row = this.rows.get(session.session_id) ?? new Row();
      this.rows.set(session.session_id, row);
      row.show(session);
      if (row.root === place) place = place.nextElementSibling; // move only what is out of place
      else this.body.insertBefore(row.root, place);
    }
    enable(this.newer, this.cursors.length > 1);
    enable(this.older, next !== null);
    const nothing = byId("sessions-nothing");
    nothing.hidden = sessions.length > 0;
    setText(nothing, next === null ? this.none() : "None so far; there are older sessions.");
    setText(byId("sessions-page"), this.cursors.length > 1 ? `page ${this.cursors.length}` : "newest first");
  }

  none() {
    if (this.cursors.length > 1) return "There are no older sessions.";
    if (this.vehicle.value.trim()) return "No session of a vehicle with this ID.";
    return this.state.value === "open" ? "No vehicle is waiting or charging now." : "There is no such session.";
  }

  /** Take the rows away that are not listed any more. @param {Set<string>} listed */
  forget(listed) {
    for (const [id, row] of this.rows) {
      if (listed.has(id)) continue;
      // Keep the keyboard focus in the list instead of at the top of the page.
      if (row.root.contains(document.activeElement)) byId("sessions-scroll").focus();
      row.root.remove();
      this.rows.delete(id);
    }
  }
}

class Row {
  constructor() {
    const { root, slots } = cloneTemplate("session-row");
    this.root = root;
    this.slots = slots;
    /** @type {Session | null} */
    this.session = null;
    /** @type {HTMLElement | null} */
    this.stop = null;
  }

  /** @param {Session} session */
  show(session) {
    const { slots } = this;
    const { session_id: id, vehicle_id: vehicle, state } = session;
    const substation = placeOf(session);
    this.session = session;
    this.root.dataset.session = id;
    this.root.dataset.state = state;
    setText(slots.vehicle, vehicle);
    slots.vehicle.setAttribute("href", `#session/${id}`);
    setText(slots.state, STATE[state]);
    setText(slots.substation, substation ?? "–");
    slots.key.hidden = substation === null;
    if (substation !== null) paint(this.root, substation);
    setText(slots.energy, energyText(session));
    slots.bar.style.setProperty("--share", share(session));
    setText(slots.power, powerText(session));
    setText(slots.end, endText(session));
    this.showStop(isOpen(session));
  }

  /** @param {boolean} open */
  showStop(open) {
    if (open === (this.stop !== null)) return;
    this.stop?.remove();
    this.stop = null;
    if (!open) return;
    this.stop = make("button", "small", "Stop");
    this.stop.setAttribute("type", "button");
    this.stop.setAttribute("aria-label", `Stop ${this.session?.vehicle_id}`);
    this.stop.addEventListener("click", () => {
      if (this.session) askToStop(this.session, (stopped) => this.show(stopped));
    });
    this.slots.stop.append(this.stop);
  }
}
