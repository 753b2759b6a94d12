/** Buttons that do something which takes time and may fail. */

import { h } from "./dom.js";
import { ERRORS, shortId } from "./words.js";

/** Buttons whose work is not done yet. @type {WeakSet<Element>} */
const busy = new WeakSet();

/**
 * A place beside an action for what went wrong with it. Screen readers announce it when it is filled.
 * @param {string} testid
 */
export function errorSlot(testid) {
  return h("p", { class: "error", role: "alert", "data-testid": testid, hidden: true });
}

/**
 * What each peer said that was tried.
 * @param {unknown} error
 */
function triedBy(error) {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof AggregateError)) return [];
  return cause.errors.map(({ peer, message }) => `${peer ? `${shortId(peer)}: ` : ""}${message}`);
}

/**
 * @param {HTMLElement} slot
 * @param {unknown} error `undefined` clears it
 */
export function showError(slot, error) {
  slot.hidden = error === undefined;
  if (error === undefined) {
    slot.replaceChildren();
    return;
  }
  const code = typeof error === "object" && error && "code" in error ? String(error.code) : "error";
  const message = error instanceof Error ? error.message : String(error);
  const advice = ERRORS[code];
  slot.dataset.code = code;
  slot.replaceChildren(h("code", {}, code), ` ${message}`);
  if (advice) slot.append(`${/[.!?]$/.test(message) ? "" : "."} ${advice}`);
  for (const each of triedBy(error)) slot.append(h("span", { class: "tried" }, each));
}

/**
 * Does `work` for `button`. A second press while it lasts does nothing; an error is shown in `slot`.
 * @param {Element} button stays focusable: `aria-busy` instead of `disabled`
 * @param {HTMLElement} slot
 * @param {() => unknown} work
 * @returns {Promise<boolean>} whether it succeeded
 */
export async function perform(button, slot, work) {
  if (busy.has(button)) return false;
  busy.add(button);
  button.setAttribute("aria-busy", "true");
  showError(slot, undefined);
  try {
    await work();
    return true;
  } catch (error) {
    showError(slot, error);
    return false;
  } finally {
    busy.delete(button);
    button.removeAttribute("aria-busy");
  }
}
