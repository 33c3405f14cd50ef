/** Shapes of bridge-purchase.js: buying with one press in a placement on the thanks page. */
import type { Bridge, CartItem } from "./bridge.js";

/** Body of the message CART_ITEM_INSTANT_PURCHASE. The shop's route gets it with a `purchaseId` (UUID). */
export interface PurchaseRequest {
  upsellItems: CartItem[];
  totalUpsellPrice: number;
  currency: string;
}

/** Body of the message CART_ITEM_INSTANT_PURCHASE_RESPONSE: the request, and what the shop's route says of it. */
export interface PurchaseResponse extends PurchaseRequest {
  paid: boolean;
  success: boolean;
  orderConfirmationId?: string;
  upsellConfirmationId?: string;
  /**
   * The shop's (`upsells.buy_instantly` says no_session, not_available, sold_out, price_changed, declined, or, of what is
   * paid, refund_needed), else "timeout" or "network" (what became of it is not known) or "refused".
   */
  reason?: string;
}

export interface PurchaseOptions {
  /** The shop's own route. It decides whether it can charge again, and whom; prices of a browser decide nothing. */
  url: string;
  /** Stands for `window` in tests. */
  host?: any;
}

/**
 * Posts each press in a selection of the bridge to the shop's route, and always answers the selection; the bridge tells
 * the page with an event `purchase` (detail: the response).
 *
 * - JSON with the header `Rokt-Bff: 1` and the cookies of the route's own origin; where the bridge has a handle, with
 *   `Authorization: Bearer` as well.
 * - A press has a `purchaseId`, and keeps it: after no answer, 408, 429 or 5xx it is sent again twice, and the next
 *   press of the same items is the same purchase until its outcome is known. So nobody pays twice.
 * - A second press of the same items while one is under way is not sent.
 */
export function createPurchases(
  bridge: Pick<Bridge, "addEventListener" | "dispatchEvent" | "handle" | "selections">, options: PurchaseOptions,
): void;

/** For `data-purchase`: the address. */
export function start(bridge: Bridge, url: string): void;

/** Of the same things the same text, whatever else the message says. */
export function pressKey(request: PurchaseRequest): string;
