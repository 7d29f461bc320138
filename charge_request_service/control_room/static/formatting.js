/** Formats numbers and times for people. */

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** @param {Date} date */
export function clock(date) {
  return TIME.format(date);
}

/** @param {number} value up to `digits` decimals, none needless @param {number} [digits] */
export function number(value, digits = 0) {
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

/** @param {number} count @param {string} one @param {string} [many] */
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** @param {number} kw up to a tenth while it is small */
export function power(kw) {
  return number(kw, kw < 100 ? 1 : 0);
}

/** A predicted time, no more precise than it is known. @param {number} seconds from now */
export function ahead(seconds) {
  return seconds < 1 ? "now" : lasting(Math.round(seconds)).replace(".0", "");
}

/** @param {number} seconds */
export function ago(seconds) {
  return `${lasting(seconds)} ago`;
}

/** @param {number} seconds */
export function lasting(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}
