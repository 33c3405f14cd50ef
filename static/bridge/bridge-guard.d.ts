/** Shapes of bridge-guard.js: the shop's "continue" waits until the server has everything. */
import type { Bridge } from "./bridge.js";

/**
 * Holds a click (or a form's submission) until `bridge.settled()`, at most `limit` milliseconds (3000), then lets it go
 * on by itself: whatever is down, it never blocks a checkout. A click that opens a tab or a window, or saves, is let
 * through at once, as the page stays. A second press meanwhile is swallowed.
 *
 * @param target an element, or a selector, which also holds what comes into the document later
 */
export function guard(
  bridge: Pick<Bridge, "settled">, target: Element | string, limit?: number, host?: any,
): void;

/** The same, for `data-guard` and `bridge.guard`. */
export const start: typeof guard;
