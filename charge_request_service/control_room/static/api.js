/**
 * The gateway's API: the call, its responses and its errors.
 *
 * @typedef {"unknown" | "up" | "draining" | "down"} Health
 *
 * @typedef {object} Substation
 * @property {string} name
 * @property {string} address
 * @property {Health} health
 * @property {string | null} reason
 * @property {boolean} drained whether an operator is keeping new vehicles from it
 * @property {string | null} warning
 * @property {number | null} gauge
 * @property {number | null} gauge_age_s
 * @property {number} own_load
 * @property {number} foreign_load
 * @property {number} load
 * @property {number | null} capacity
 * @property {number | null} power_kw
 * @property {number | null} power_limit_kw
 * @property {number | null} committed_power_kw
 * @property {number | null} remaining_energy_kwh
 * @property {number | null} next_finish_s until the first own vehicle is predicted to be charged
 * @property {number | null} last_finish_s
 *
 * @typedef {object} Grid
 * @property {string} policy
 * @property {number} waiting
 * @property {string | null} configuration_problem
 * @property {LeftInLine[]} left_in_line
 * @property {Substation[]} substations
 *
 * @typedef {object} LeftInLine a vehicle that waits for a better point beside a free one
 * @property {string} session_id
 * @property {string} vehicle_id
 * @property {string} substation
 * @property {number} waited_s
 * @property {number | null} predicted_start_s from now
 * @property {number | null} predicted_finish_s
 *
 * @typedef {object} Predicted seconds from the decision; null means never
 * @property {number | null} start_s
 * @property {number | null} charging_s
 * @property {number | null} finish_s
 *
 * @typedef {object} SubstationHistory samples, oldest first; null if unknown
 * @property {string} name
 * @property {(number | null)[]} load
 * @property {(number | null)[]} power_kw
 * @property {(number | null)[]} power_limit_kw
 *
 * @typedef {object} GridHistory
 * @property {number} age_s of the newest samples
 * @property {number} interval_s between samples
 * @property {SubstationHistory[]} substations
 *
 * @typedef {{substation: string, load: number, capacity: number, score: number}} Candidate
 *
 * @typedef {object} Decision
 * @property {number} sequence
 * @property {string} time
 * @property {string} session_id
 * @property {string} vehicle_id
 * @property {string} substation
 * @property {number} attempt
 * @property {number} waited_s
 * @property {string} reason
 * @property {Candidate[]} candidates
 * @property {number} candidates_left_out
 * @property {{substation: string, why: string}[]} passed_over
 * @property {number} passed_over_left_out
 * @property {Predicted | null} predicted
 * @property {(Predicted & {substation: string}) | null} next_best
 * @property {string | null} left_in_line_for
 *
 * @typedef {{last: number, next: number | null, decisions: Decision[]}} Decisions one page of them
 *
 * @typedef {{substation: string, energy_kwh: number | null, charging_s?: number | null}} Leg
 *
 * @typedef {object} Session
 * @property {string} session_id
 * @property {"waiting" | "charging" | "charged" | "stopped" | "refused"} state
 * @property {string} vehicle_id
 * @property {number} kwh requested
 * @property {"plain" | "keyed" | "async"} kind
 * @property {string} began
 * @property {string | null} ended
 * @property {number | null} energy_kwh
 * @property {string | null} substation
 * @property {number | null} power_kw
 * @property {number | null} predicted_end_s from now
 * @property {number | null} attempts
 * @property {number | null} waited_s
 * @property {number | null} charging_s
 * @property {number | null} mean_power_kw
 * @property {number | null} peak_power_kw
 * @property {Leg[]} legs
 * @property {string | null} reason
 *
 * @typedef {object} Totals of the sessions that began today
 * @property {string} since
 * @property {number} vehicles
 * @property {number} open
 * @property {number} charged
 * @property {number} stopped
 * @property {number} refused
 * @property {number} energy_kwh
 * @property {boolean} complete whether the ledger still has all of them
 * @property {number} age_s
 *
 * @typedef {object} RushHour
 * @property {"idle" | "running" | "stopping" | "stopped" | "finished"} state
 * @property {number} vehicles
 * @property {number} arrived
 * @property {number} in_progress
 * @property {number} charged
 * @property {number} lost
 * @property {number} hung_up
 * @property {string | null} why_lost
 * @property {number} elapsed_s
 */
import { authorization } from "./key.js";

/** An error response (RFC 9457), with the fields at fault if it names them. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{detail?: string, errors?: {field: string, detail: string}[]}} document
   */
  constructor(status, document) {
    super(document.detail || `The gateway answered ${status}.`);
    this.status = status;
    this.errors = document.errors ?? [];
  }

  /** Whether the gateway asks for an API key, or for another one. */
  get wantsKey() {
    return this.status === 401;
  }
}

/** No response: the gateway is unreachable, or silent for too long. */
export class NoResponse extends Error {}

/**
 * Call the gateway. Paths are relative to the page, so that it also works behind a path of a proxy.
 *
 * @param {string} method
 * @param {string} path
 * @param {{body?: object, signal?: AbortSignal}} [options]
 * @returns {Promise<{answer: any, date: number}>} its document, and the gateway's clock (ms) if known
 */
export async function call(method, path, { body, signal } = {}) {
  let response, answer;
  try {
    response = await fetch(path, {
      method,
      signal,
      cache: "no-store",
      headers: { ...(body && { "Content-Type": "application/json" }), ...authorization() },
      body: body ? JSON.stringify(body) : undefined,
    });
    answer = await response.json().catch(unlessAborted);
  } catch (error) {
    const name = error instanceof Error ? error.name : "";
    if (name === "AbortError") throw error;
    throw new NoResponse(
      name === "TimeoutError" ? "The gateway does not respond." : "The gateway cannot be reached.",
    );
  }
  if (!response.ok) throw new Problem(response.status, answer);
  return { answer, date: Date.parse(response.headers.get("date") ?? "") };
}

/** A response without JSON counts as empty; an aborted call stays aborted.
 * @param {unknown} error */
function unlessAborted(error) {
  if (error instanceof SyntaxError) return {};
  throw error;
}
