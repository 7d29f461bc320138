/**
 * One session's panel: its state, legs and decisions. It has an address of its own,
 * `#session/ID`, and is asked for while it is open.
 *
 * @import { Decision, Leg, Session } from "./api.js"
 */
import { call, Problem } from "./api.js";
import { row as decisionRow } from "./decisions.js";
import { paint } from "./colours.js";
import { cloneTemplate, make, setMessage, setText } from "./page.js";
import { Repeat } from "./repeat.js";
import { endText, energyText, isOpen, placeOf, powerText, share, STATE } from "./session_formatting.js";
import { askToStop } from "./stop.js";
import { clock, lasting, number, power } from "./formatting.js";

const EVERY_MS = 1000;
const HASH = /^#session\/([A-Za-z0-9._:-]{1,64})$/;
const KIND = {
  plain: "plain: its caller waits, and stops it by disconnecting",
  keyed: "with an Idempotency-Key: its caller may come back",
  async: "asynchronous: continues without its caller",
};

export class SessionPanel {
  constructor() {
    /** @type {HTMLDialogElement | null} */
    this.dialog = null;
    /** @type {Record<string, HTMLElement>} */
    this.slots = {};
    /** @type {string | null} */
    this.id = null;
    /** @type {Session | null} */
    this.session = null;
    this.allowed = false;
    this.decisionsOf = "";
    this.repeat = new Repeat(EVERY_MS, (signal) => this.ask(signal));
    window.addEventListener("hashchange", () => this.follow());
  }

  /** Ask, or do not: a gateway that wants a key is asked once there is one. @param {boolean} allowed */
  allow(allowed) {
    if (allowed === this.allowed) return;
    this.allowed = allowed;
    if (!allowed) this.dialog?.close(); // the key is asked for below it
    else this.follow();
  }

  /** Show the session named in the address. */
  follow() {
    const id = HASH.exec(location.hash)?.[1] ?? null;
    if (!this.allowed || id === this.id) return;
    this.dialog?.remove();
    this.dialog = null;
    this.id = id;
    this.session = null;
    this.decisionsOf = "";
    this.repeat.turn(id !== null);
    if (id === null) return;
    this.open(id);
    this.repeat.now();
  }

  /** @param {string} id */
  open(id) {
    const { root, slots } = cloneTemplate("session-panel");
    this.slots = slots;
    const dialog = /** @type {HTMLDialogElement} */ (root);
    this.dialog = dialog;
    setText(slots.id, `Session ${id}`);
    slots.close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (this.dialog !== dialog) return;
      if (this.allowed) history.replaceState(null, "", location.pathname + location.search);
      this.dialog = this.id = null;
      this.repeat.turn(false);
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  /** @param {AbortSignal} signal */
  async ask(signal) {
    const id = this.id;
    if (id === null || (this.session && !isOpen(this.session))) return; // it stays as it is
    try {
      const { answer } = await call("GET", `sessions/${id}`, { signal });
      if (id === this.id) this.show(answer);
    } catch (error) {
      if (id !== this.id) return;
      setMessage(this.slots.fault, error instanceof Error ? error.message : String(error));
      if (error instanceof Problem && error.status === 404) this.repeat.turn(false); // nor will it be
      return;
    }
    await this.askForDecisions(id, signal);
  }

  /** Ask once, and again when it was sent somewhere else. @param {string} id @param {AbortSignal} signal */
  async askForDecisions(id, signal) {
    const known = `${this.session?.attempts} ${this.session?.state}`;
    if (known === this.decisionsOf) return;
    try {
      const { answer } = await call("GET", `decisions?session_id=${id}`, { signal });
      if (id !== this.id) return;
      this.decisionsOf = known;
      this.showDecisions(answer.decisions);
    } catch (error) {
      if (id === this.id) setText(this.slots["decisions-nothing"], `Not known now. ${error instanceof Error ? error.message : ""}`);
    }
  }

  /** @param {Session} session */
  show(session) {
    const { slots } = this;
    this.session = session;
    setText(slots.fault, "");
    setText(slots.vehicle, session.vehicle_id);
    setText(slots.energy, energyText(session));
    slots.bar.style.setProperty("--share", share(session));
    const cells = facts(session).map(([name, text]) => {
      const cell = make("div");
      cell.append(make("dt", "", name), make("dd", "", text));
      return cell;
    });
    slots.facts.replaceChildren(...cells);
    slots.legs.replaceChildren(...session.legs.map(legRow));
    slots["legs-table"].hidden = session.legs.length === 0;
    slots["legs-nothing"].hidden = session.legs.length > 0;
    this.showStop(session);
  }

  /** @param {Session} session */
  showStop(session) {
    const place = this.slots.buttons;
    if (isOpen(session) === place.children.length > 0) return;
    if (!isOpen(session)) {
      if (place.contains(document.activeElement)) this.slots.close.focus();
      place.replaceChildren();
      return;
    }
    const button = make("button", "", "Stop the charge");
    button.setAttribute("type", "button");
    button.addEventListener("click", () => {
      if (this.session) {
        askToStop(this.session, (stopped) => stopped.session_id === this.id && this.show(stopped));
      }
    });
    place.append(button);
  }

  /** @param {Decision[]} decisions */
  showDecisions(decisions) {
    this.slots.decisions.replaceChildren(...decisions.map(decisionRow));
    this.slots["decisions-table"].hidden = decisions.length === 0;
    setText(
      this.slots["decisions-nothing"],
      decisions.length ? "" : "The balancer has none: the session was not dispatched yet, or too long ago.",
    );
  }
}

/** What is known of it, by name. @param {Session} session @returns {[string, string][]} */
function facts(session) {
  const { state, began, ended, attempts, waited_s: waited, charging_s: charging } = session;
  const open = isOpen(session);
  /** @type {[string, string | null][]} */
  const all = [
    ["State", STATE[state]],
    ["Substation", placeOf(session)],
    ["Power", open ? powerText(session) : null],
    ["Predicted end", open ? endText(session) : null],
    ["Began", clock(new Date(began))],
    ["Ended", ended === null ? null : endText(session)],
    ["Waited", waited === null ? null : lasting(waited)],
    ["Charged for", charging === null ? null : lasting(charging)],
    ["Mean power", session.mean_power_kw === null ? null : `${power(session.mean_power_kw)} kW`],
    ["Peak power", session.peak_power_kw === null ? null : `${power(session.peak_power_kw)} kW`],
    ["Attempts", attempts === null ? null : number(attempts)],
    ["Asked for", KIND[session.kind]],
    ["Why it ended", session.reason],
  ];
  return all.flatMap(([name, text]) => (text === null ? [] : [[name, text]]));
}

/** @param {Leg} leg */
function legRow(leg) {
  const { root, slots } = cloneTemplate("leg");
  setText(slots.substation, leg.substation);
  paint(root, leg.substation);
  setText(slots.energy, leg.energy_kwh === null ? "–" : `${number(leg.energy_kwh, 3)} kWh`);
  setText(slots.charging, leg.charging_s === null || leg.charging_s === undefined ? "–" : lasting(leg.charging_s));
  return root;
}
