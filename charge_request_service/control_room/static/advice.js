/**
 * What to do about a substation that needs attention, and where to look.
 *
 * @import { Substation } from "./api.js"
 */
import { needs } from "./attention.js";
import { counted } from "./formatting.js";

/**
 * @param {Substation} substation
 * @returns {{todo: string, look: string} | null} null if nothing needs to be done
 */
export function advice(substation) {
  const { name, reason, warning, drained, load } = substation;
  const log = `the log of ${name}`;
  const runbook = (/** @type {string} */ section) => `docs/runbook.md, ${section}`;
  switch (needs(substation)) {
    case "down":
      return { todo: whatToDoWhenDown(reason ?? ""), look: `${log}; ${runbook("SubstationDown")}` };
    case "over":
      return {
        todo: "Find out who sends vehicles there without this balancer, or whether it has more points than it reports.",
        look: `Foreign and Gauge below; ${runbook("ChargesTooFast")}`,
      };
    case "doubt":
      if (drained) {
        return {
          todo: load
            ? `Wait: ${counted(load, "vehicle")} still ${load === 1 ? "charges" : "charge"} there.`
            : "It is empty: do the work, then undrain it.",
          look: "the balancer's log, “substation drained”",
        };
      }
      if (substation.health === "draining") {
        return { todo: "If nobody is restarting it, find out why it shuts down.", look: log };
      }
      if (substation.health === "unknown") {
        return { todo: "Wait a moment: it has not been polled yet.", look: "the balancer's log" };
      }
      if (warning) {
        return {
          todo: "Correct its profile in SUBSTATIONS_FILE, or the substation itself.",
          look: "docs/your-own-substations.md, What the balancer cannot see",
        };
      }
      return {
        todo: "Find out why its metrics page is slow: the substation or its network may be overloaded.",
        look: `${log}; ${runbook("StaleGauge")}`,
      };
    default:
      return null;
  }
}

/** @param {string} reason according to the balancer */
function whatToDoWhenDown(reason) {
  if (/\b(page|prometheus|which is not)\b/i.test(reason)) {
    return "Correct its metrics page, or its profile: it responds, but its load cannot be read.";
  }
  if (/refused/i.test(reason)) return "Start it: nothing is listening at its address.";
  if (/\bname\b|looked up|no address/i.test(reason)) {
    return "Correct its name in SUBSTATIONS, or the name server: its name does not resolve.";
  }
  if (/\b[45]\d\d\b|reset|broke|closed/i.test(reason)) {
    return "Find out why it fails: it responds with errors. Restart it if it does not recover.";
  }
  return "Check whether it is frozen or disconnected from the balancer; restart it if it is frozen.";
}
