/**
 * The protocols that enrolled with a node: their shares, locks, bursts and scorers.
 *
 * @import { BurstOptions, CallOptions, EnrollSpec, Grant, LockOptions, Offer, PeerInfo, Reason, Revocation } from "./index.js"
 * @import { Lifecycle } from "./lifecycle.js"
 */

import { MAX_BURST_MS, checkCall, checkDuration, checkEnroll, checkOutcome, checkPeerId, usableScores } from "./arguments.js";
import { MAX_U8, checkFunction, checkInteger } from "./check.js";
import { Enrollment, makeBurst, makeLock, steer } from "./enrollment.js";
import { LightNodeError } from "./errors.js";

const DEFAULT_LOCK_MS = 30_000;

/** @typedef {{ enrollment: Enrollment, score: EnrollSpec["score"] }} Enrolled */

export class Enrollments {
  #life;
  /** @type {Map<number, Enrolled>} */
  #enrolled = new Map();
  /** @type {Map<number, ReturnType<typeof makeLock> & { owner: number }>} */
  #locks = new Map();
  /** @type {Map<number, ReturnType<typeof makeBurst> & { owner: number }>} */
  #bursts = new Map();

  /** @param {Lifecycle} life */
  constructor(life) {
    this.#life = life;
  }

  /** Requirements that protocols brought along. */
  get requirements() {
    return [...this.#enrolled.values()].flatMap(({ enrollment }) => enrollment.requirement ?? []);
  }

  /**
   * @param {EnrollSpec} spec
   * @param {Pick<CallOptions, "signal">} [options]
   * @returns {Promise<import("./index.js").Enrollment>}
   */
  async enroll(spec, options) {
    const { signal } = checkCall(options, []);
    const request = checkEnroll(spec);
    const { score } = spec;
    // Registered as the reply is read: the next offer may stand right behind it.
    const register = (/** @type {{ enrollment: number, granted: Grant, counter: boolean, requirement?: string }} */ opened) => {
      const id = opened.enrollment;
      const enrollment = new Enrollment(this.#desk(id), request.name, opened);
      this.#enrolled.set(id, { enrollment, score });
      return /** @type {import("./index.js").Enrollment} */ (enrollment);
    };
    return this.#life.call("enroll", request, { signal, onReply: register });
  }

  /**
   * @param {number} id
   * @returns {import("./enrollment.js").Desk}
   */
  #desk(id) {
    return {
      // Its time may have run out a moment ago, which accepted it.
      accept: () => this.#life.giveBack("acceptOffer", { enrollment: id }),
      withdraw: () => {
        this.#life.giveBack("withdraw", { enrollment: id });
        this.#end(id, "hung-up");
      },
      lock: (peer, options) => this.#lock(id, peer, options),
      burst: (slots, options) => this.#burst(id, slots, options),
      report: (peer, outcome) => {
        const params = { enrollment: id, peer: checkPeerId(peer), outcome: checkOutcome(outcome) };
        const { requirement } = this.#enrolledAs(id).enrollment;
        if (requirement === undefined) {
          throw new LightNodeError("invalid-options", "requirement should have been given when the protocol enrolled: without one no peer serves it", { option: "requirement" });
        }
        this.#life.order("report", params);
      },
    };
  }

  /**
   * @param {number} id
   * @returns {Enrolled}
   */
  #enrolledAs(id) {
    this.#life.throwIfOver();
    const enrolled = this.#enrolled.get(id);
    if (!enrolled) throw new LightNodeError("denied", "the enrollment has ended; enroll again", { cause: "not-enrolled" });
    return enrolled;
  }

  /**
   * @param {number} owner
   * @param {string} peer
   * @param {LockOptions} [options]
   */
  async #lock(owner, peer, options) {
    const { signal, ttlMs = DEFAULT_LOCK_MS, onRevoke } = checkCall(options, ["ttlMs", "onRevoke"]);
    const params = { enrollment: owner, peer: checkPeerId(peer), ttlMs: checkDuration("ttlMs", ttlMs) };
    if (onRevoke !== undefined) checkFunction("onRevoke", onRevoke);
    this.#enrolledAs(owner);
    const register = (/** @type {{ lock: number, expiresAt: number }} */ { lock: id, expiresAt }) => {
      const made = makeLock(peer, expiresAt, onRevoke, {
        extend: async (ms, given) => {
          const call = checkCall(given, []);
          const renewal = { lock: id, ttlMs: checkDuration("ttlMs", ms) };
          this.#life.throwIfOver();
          if (!this.#locks.has(id)) throw new LightNodeError("denied", "the lock has ended; ask for a new one", { cause: "not-enrolled" });
          return (await this.#life.request("extendLock", renewal, call.signal)).expiresAt;
        },
        release: () => {
          this.#locks.delete(id);
          this.#life.giveBack("unlock", { lock: id });
        },
      });
      this.#locks.set(id, { ...made, owner });
      return made.lock;
    };
    return this.#life.request("lock", params, signal, register);
  }

  /**
   * @param {number} owner
   * @param {number} slots
   * @param {BurstOptions} [options]
   */
  async #burst(owner, slots, options) {
    const { signal, ms = MAX_BURST_MS } = checkCall(options, ["ms"]);
    const params = { enrollment: owner, slots: checkInteger("slots", slots, 1, MAX_U8), ms: checkDuration("ms", ms, MAX_BURST_MS) };
    this.#enrolledAs(owner);
    const register = (/** @type {{ burst: number, slots: number }} */ { burst: id, slots: granted }) => {
      const made = makeBurst(granted, () => {
        if (!this.#bursts.delete(id)) return;
        this.#life.giveBack("burstClose", { burst: id });
        made.end();
      });
      this.#bursts.set(id, { ...made, owner });
      return made.burst;
    };
    return this.#life.request("burstOpen", params, signal, register);
  }

  // --- what the manager says ----------------------------------------------------------------------------------------

  /** @param {Offer & { enrollment: number, ended?: boolean, rejected?: Reason }} message */
  onOffer({ enrollment: id, low, high, counter, answerMs, ended, rejected }) {
    const enrolled = this.#enrolled.get(id);
    if (!enrolled) return;
    if (ended || rejected) return this.#end(id, rejected ?? "stopped");
    steer(enrolled.enrollment).offer({ low, high, counter, ...(answerMs !== undefined && { answerMs }) });
  }

  /** @param {{ lock: number, state: "granted" | "revoked" | "ended", reason?: Revocation, graceMs?: number }} message */
  onLock({ lock: id, state, reason = "stop", graceMs = 0 }) {
    const held = this.#locks.get(id);
    if (state === "granted" || !held) return;
    this.#locks.delete(id);
    if (state === "revoked") held.revoke({ reason, graceMs });
    else held.end();
  }

  /** @param {{ burst: number, state: string }} message */
  onBurst({ burst: id, state }) {
    if (state === "granted") return;
    this.#bursts.get(id)?.end();
    this.#bursts.delete(id);
  }

  /**
   * A scorer that throws, or that takes its time, costs nobody but itself: nothing waits for its answer.
   *
   * @param {{ enrollment: number, round: number, peers: PeerInfo[] }} message
   */
  async onScores({ enrollment: id, round, peers }) {
    const enrolled = this.#enrolled.get(id);
    if (!enrolled?.score) return;
    try {
      const scores = usableScores(await enrolled.score(peers), peers);
      if (this.#enrolled.get(id) === enrolled) this.#life.giveBack("scores", { enrollment: id, round, scores });
    } catch (error) {
      reportError(error);
    }
  }

  // --- ends ---------------------------------------------------------------------------------------------------------

  /**
   * Everything of an enrollment ends with it.
   *
   * @param {number} id
   * @param {Reason} reason
   */
  #end(id, reason) {
    const enrolled = this.#enrolled.get(id);
    this.#enrolled.delete(id);
    for (const [lock, held] of [...this.#locks]) {
      if (held.owner !== id) continue;
      this.#locks.delete(lock);
      if (reason === "hung-up") held.end();
      else held.revoke({ reason: "withdrawn", graceMs: 0 });
    }
    for (const [burst, opened] of [...this.#bursts]) {
      if (opened.owner !== id) continue;
      this.#bursts.delete(burst);
      opened.end();
    }
    if (enrolled) steer(enrolled.enrollment).end(reason);
  }

  /** The node is closed. */
  close() {
    this.#revokeAll("stop");
    for (const id of [...this.#enrolled.keys()]) this.#end(id, "stopped");
  }

  /** @param {Error} crash */
  fail(crash) {
    this.#revokeAll("connection-lost");
    for (const opened of this.#bursts.values()) opened.fail(crash);
    for (const { enrollment } of this.#enrolled.values()) steer(enrollment).fail(crash);
    this.#bursts.clear();
    this.#enrolled.clear();
  }

  /** @param {Revocation} reason */
  #revokeAll(reason) {
    const held = [...this.#locks.values()];
    this.#locks.clear();
    for (const lock of held) lock.revoke({ reason, graceMs: 0 });
  }
}
