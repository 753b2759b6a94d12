/** @import { ErrorCode } from "./index.js" */

/**
 * The one error class of this package. `code` says what kind of failure it is; the other fields are set where they apply.
 */
export class LightNodeError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {{ cause?: unknown, peer?: string, address?: string, option?: string }} [details]
   */
  constructor(code, message, { cause, ...where } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "LightNodeError";
    /** @type {ErrorCode} */
    this.code = code;
    Object.assign(this, where);
  }
}

/**
 * An error as the wasm has it: plain data.
 *
 * @typedef {{ code: ErrorCode, message: string, cause?: unknown, peer?: string, address?: string, option?: string, tried?: Plain[] }} Plain
 *   `tried`: the last error of each peer that was asked
 */

/**
 * What the wasm throws and replies is plain data, `{ code, message, … }`; anything else passes through unchanged.
 *
 * @param {unknown} error
 * @returns {unknown}
 */
export function fromWasm(error) {
  if (error === null || typeof error !== "object" || error instanceof Error || !("code" in error)) return error;
  const { code, message, tried, ...details } = /** @type {Plain} */ (error);
  if (tried) details.cause = new AggregateError(tried.map(fromWasm), "the last error of each peer that was tried");
  return new LightNodeError(code, message, details);
}
