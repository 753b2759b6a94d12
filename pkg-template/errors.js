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
 * What the wasm throws and replies is plain data, `{ code, message, … }`; anything else passes through unchanged.
 *
 * @param {unknown} error
 * @returns {unknown}
 */
export function fromWasm(error) {
  if (error === null || typeof error !== "object" || error instanceof Error || !("code" in error)) return error;
  const { code, message, ...details } = /** @type {{ code: ErrorCode, message: string, cause?: unknown }} */ (error);
  return new LightNodeError(code, message, details);
}
