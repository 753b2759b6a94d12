/**
 * What a protocol holds of the manager: its enrollment, its locks and its bursts. `enrollments.js` makes them and tells
 * them what happens.
 *
 * @import { BurstOptions, CallOptions, FailureClass, Grant, LockOptions, LockRevocation, Offer, Reason } from "./index.js"
 *
 * @typedef {object} Desk what an enrollment asks for; internal
 * @property {() => void} accept
 * @property {() => void} withdraw
 * @property {(peer: string, options?: LockOptions) => Promise<import("./index.js").Lock>} lock
 * @property {(slots: number, options?: BurstOptions) => Promise<import("./index.js").Burst>} burst
 * @property {(peer: string, outcome: "success" | FailureClass) => void} report
 */

/**
 * What only the node does with an enrollment.
 *
 * @type {(enrollment: Enrollment) => { offer(offer: Offer): void, end(reason: Reason): void, fail(error: Error): void }}
 */
export let steer;

/** @typedef {((event: CustomEvent<Offer>) => void) | null} OfferListener */

export class Enrollment extends EventTarget {
  #desk;
  #grant;
  /** @type {"granted" | "countered" | "closed"} */
  #state;
  /** @type {OfferListener} */
  #onoffer = null;
  /** @type {(reason: Reason) => void} */
  #resolve = () => {};
  /** @type {(error: Error) => void} */
  #reject = () => {};

  static {
    steer = (enrollment) => ({
      offer: (offer) => enrollment.#offer(offer),
      end: (reason) => enrollment.#close(() => enrollment.#resolve(reason)),
      fail: (error) => enrollment.#close(() => enrollment.#reject(error)),
    });
  }

  /**
   * @param {Desk} desk
   * @param {string} name
   * @param {{ granted: Grant, counter: boolean, requirement?: string }} opened
   */
  constructor(desk, name, { granted, counter, requirement }) {
    super();
    this.#desk = desk;
    this.#grant = granted;
    this.#state = counter ? "countered" : "granted";
    this.name = name;
    this.requirement = requirement;
    /** @type {Promise<Reason>} */
    this.closed = new Promise((...settle) => ([this.#resolve, this.#reject] = settle));
    // Whoever does not look at `closed` shall not hear of an unhandled rejection.
    this.closed.catch(() => {});
  }

  get state() {
    return this.#state;
  }

  get granted() {
    return this.#grant;
  }

  get onoffer() {
    return this.#onoffer;
  }

  set onoffer(listener) {
    if (this.#onoffer) this.removeEventListener("offer", /** @type {EventListener} */ (this.#onoffer));
    this.#onoffer = typeof listener === "function" ? listener : null;
    if (this.#onoffer) this.addEventListener("offer", /** @type {EventListener} */ (this.#onoffer));
  }

  accept() {
    if (this.#state !== "countered") return;
    this.#state = "granted";
    this.#desk.accept();
  }

  withdraw() {
    if (this.#state !== "closed") this.#desk.withdraw();
  }

  /**
   * @param {string} peer
   * @param {LockOptions} [options]
   */
  async lock(peer, options) {
    return this.#desk.lock(peer, options);
  }

  /**
   * @param {number} slots
   * @param {BurstOptions} [options]
   */
  async burst(slots, options) {
    return this.#desk.burst(slots, options);
  }

  /**
   * @param {string} peer
   * @param {"success" | FailureClass} outcome
   */
  report(peer, outcome) {
    this.#desk.report(peer, outcome);
  }

  /** @param {Offer} offer */
  #offer(offer) {
    this.#grant = { low: offer.low, high: offer.high };
    this.#state = offer.counter ? "countered" : "granted";
    this.dispatchEvent(new CustomEvent("offer", { detail: offer }));
  }

  /** @param {() => void} settle */
  #close(settle) {
    this.#state = "closed";
    this.#grant = { low: 0, high: 0 };
    settle();
  }
}

/**
 * A lock as its holder sees it, and the strings that the node pulls.
 *
 * @param {string} peer
 * @param {number} expiresAt
 * @param {((revocation: LockRevocation) => void) | undefined} onRevoke
 * @param {{ extend(ttlMs: number, options?: Pick<CallOptions, "signal">): Promise<number>, release(): void }} desk
 */
export function makeLock(peer, expiresAt, onRevoke, desk) {
  /** @type {import("./index.js").Lock["state"]} */
  let state = "held";
  const lock = Object.freeze({
    peer,
    get state() {
      return state;
    },
    get expiresAt() {
      return expiresAt;
    },
    /**
     * @param {number} ttlMs
     * @param {Pick<CallOptions, "signal">} [options]
     */
    async extend(ttlMs, options) {
      expiresAt = await desk.extend(ttlMs, options);
    },
    release() {
      if (state === "ended") return;
      state = "ended";
      desk.release();
    },
  });
  return {
    lock,
    end() {
      state = "ended";
    },
    /** @param {LockRevocation} revocation */
    revoke(revocation) {
      if (state !== "held") return;
      state = "revoked";
      try {
        onRevoke?.(revocation);
      } catch (error) {
        // The holder's own fault: shown as any uncaught error is.
        reportError(error);
      }
    },
  };
}

/**
 * A burst as its owner sees it, and the strings that the node pulls.
 *
 * @param {number} slots
 * @param {() => void} close
 */
export function makeBurst(slots, close) {
  /** @type {() => void} */
  let end = () => {};
  /** @type {(error: Error) => void} */
  let fail = () => {};
  /** @type {Promise<void>} */
  const closed = new Promise((resolve, reject) => ([end, fail] = [resolve, reject]));
  closed.catch(() => {});
  return { burst: Object.freeze({ slots, closed, close }), end, fail };
}
