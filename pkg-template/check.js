/**
 * Says what is wrong with a value: every refusal of an option or an argument goes through `fail`, and names it.
 */

import { LightNodeError } from "./errors.js";

export const MAX_U8 = 255;
export const MAX_U16 = 65535;

/** @param {unknown} value */
function show(value) {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  let text = String(value);
  try {
    text = typeof value === "number" ? text : (JSON.stringify(value) ?? text);
  } catch {
    // Circular: the plain text will do.
  }
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/**
 * @param {string} option
 * @param {string} should what it should be, to follow "should be"
 * @param {unknown} value
 * @returns {never}
 */
export function fail(option, should, value) {
  const not = value === undefined ? "and is missing" : `not ${show(value)}`;
  throw new LightNodeError("invalid-options", `${option} should be ${should}, ${not}`, { option });
}

/** Objects that are arguments themselves: their keys are named without them. */
const ARGUMENTS = ["options", "message", "query", "spec"];

/**
 * A plain object with no keys but those named.
 *
 * @template {object} T
 * @param {string} option
 * @param {T} value
 * @param {readonly string[]} keys
 * @returns {T}
 */
export function checkKeys(option, value, keys) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(option, `an object with ${keys.join(", ")}`, value);
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    const path = ARGUMENTS.includes(option) ? key : `${option}.${key}`;
    throw new LightNodeError("invalid-options", `unknown option ${path}: ${option} takes ${keys.join(", ")}`, { option: path });
  }
  return value;
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {number} from
 * @param {number} to
 * @returns {number}
 */
export function checkInteger(option, value, from, to) {
  if (!Number.isInteger(value) || Number(value) < from || Number(value) > to) fail(option, `a whole number from ${from} to ${to}`, value);
  return Number(value);
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {string} [what]
 * @returns {string}
 */
export function checkText(option, value, what = "a text that is not empty") {
  return typeof value === "string" && value !== "" ? value : fail(option, what, value);
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {string} what
 * @param {number} max
 * @returns {string[]}
 */
export function checkTexts(option, value, what, max) {
  if (!Array.isArray(value) || value.length === 0 || value.length > max) fail(option, `an array of 1 to ${max} ${what}`, value);
  return value.map((text, index) => checkText(`${option}[${index}]`, text));
}

/**
 * @param {unknown} signal
 * @returns {AbortSignal | undefined}
 */
export function checkSignal(signal) {
  const is = signal !== null && typeof signal === "object" && "aborted" in signal && "addEventListener" in signal;
  return signal === undefined || is ? /** @type {AbortSignal | undefined} */ (signal) : fail("signal", "an AbortSignal", signal);
}

/**
 * @param {string} option
 * @param {unknown} value
 */
export function checkFunction(option, value) {
  if (typeof value !== "function") fail(option, "a function", value);
}
