/**
 * One instance of the wasm: its memory, and the nodes that live in it. A Rust panic, or anything else that unwinds wasm
 * frames, leaves that memory in no defined state; so the instance is dead from then on and is never entered again.
 *
 * @typedef {object} Surface what the wasm exports; internal
 * @property {(options: object, sink: (message: any) => void) => number} create the handle of a stopped node
 * @property {(handle: number, message: { id: number, method: string, params?: object }) => void} post
 * @property {(handle: number, method: string, params: object) => void} order carried out at once; throws what is against it
 * @property {(handle: number, what: string, argument?: string) => any} query a snapshot
 * @property {(handle: number) => void} destroy frees at once; idempotent
 * @property {(callback: (message: string) => void) => void} on_crash called from the panic hook, before the trap
 * @property {(handle: number) => void} [test_panic] only in test builds
 *
 * @typedef {(module: WebAssembly.Module, onTrap: (error: unknown) => void) => Promise<Surface>} Instantiate
 */

import { LightNodeError, fromWasm } from "./errors.js";

export class Instance {
  /** @type {Surface | undefined} */
  #surface;
  /** @type {string | undefined} */
  #panic;
  /**
   * Set once the instance is dead.
   *
   * @type {LightNodeError | undefined}
   */
  crash;
  /**
   * Called once each when the instance dies.
   *
   * @type {Set<(crash: LightNodeError) => void>}
   */
  onCrash = new Set();

  /**
   * @param {Instantiate} instantiate
   * @param {WebAssembly.Module} module
   */
  static async create(instantiate, module) {
    const instance = new Instance();
    const surface = await instantiate(module, (error) => instance.#die(error));
    instance.#surface = surface;
    surface.on_crash((message) => {
      instance.#panic = message;
      // The trap follows at once. Should it ever not, the instance is no better for it.
      queueMicrotask(() => instance.#die(undefined));
    });
    return instance;
  }

  /**
   * @template {"create" | "post" | "order" | "query" | "destroy" | "test_panic"} Name
   * @param {Name} name
   * @param {Parameters<Required<Surface>[Name]>} args
   * @returns {ReturnType<Required<Surface>[Name]>}
   * @throws {LightNodeError} `crashed` when the instance is dead, or dies in this call; what the wasm throws
   */
  enter(name, ...args) {
    this.#throwIfDead();
    const call = /** @type {(...args: unknown[]) => any} */ (this.#surface?.[name]);
    let result;
    try {
      result = call(...args);
    } catch (error) {
      throw this.crash ?? fromWasm(error);
    }
    this.#throwIfDead();
    return result;
  }

  // A method, so that no reader (nor the type checker) takes the first look for the last word.
  #throwIfDead() {
    if (this.crash) throw this.crash;
  }

  /** @param {unknown} error what escaped from the wasm, if anything did */
  #die(error) {
    if (this.crash) return;
    const message = this.#panic ?? (error instanceof Error ? error.message : String(error));
    this.crash = new LightNodeError("crashed", `lightkeeper crashed: ${message}. Make a new node with createLightNode().`, { cause: error });
    this.#surface = undefined;
    const told = [...this.onCrash];
    this.onCrash.clear();
    for (const tell of told) tell(this.crash);
  }
}
