/**
 * One placement of the stand-in. It connects the quantities (model.js) with the drawing (view.js),
 * and handles the page's messages. The selection (rokt-stand-in.js) transports them.
 */
import { Holding, InstantPurchase, Mount, cartItem, isUpdate } from "./model.js";
import { PlacementView } from "./view.js";

export class Placement {
  /** @type {Mount[]} every drawing of every offer so far; earlier ones still handle messages */
  #mounts = [];
  #isCompleted = false;

  /**
   * @param {{offers: import("./model.js").Offer[], maxTotal?: number | null}} impression
   * @param {{target: string, layout: string, heading: string, breakpoint: number}} options
   * @param {(name: string, body?: unknown) => void} say
   */
  constructor(impression, options, say) {
    this.say = say;
    this.layout = options.layout;
    this.holding = new Holding(impression.offers, impression.maxTotal);
    this.purchases = impression.offers.map((offer) => new InstantPurchase(offer));
    this.view = new PlacementView(this, options);
  }

  /**
   * Draws for the first time.
   *
   * @returns {Promise<boolean>} false if it was closed before it was drawn
   */
  async open() {
    if (!(await this.view.open())) return false;
    this.say("PLACEMENT_INTERACTIVE");
    return true;
  }

  /**
   * Creates new mounts, as the renderer does whenever it draws. This adds preselected offers to the
   * cart again.
   *
   * @returns {Mount[]} one for each offer
   */
  mount() {
    const fresh = this.holding.offers.map(
      (offer) => new Mount(this.holding, offer, (updated, old) => this.#tell(updated, old)),
    );
    this.#mounts.push(...fresh);
    return fresh;
  }

  #tell(updated, old) {
    const body = { oldCartItem: old, cartItem: updated };
    this.say("V2_CART_ITEM_UPDATED", body);
    this.say("UPDATE_CART_ITEM_MESSAGE", body);
    this.view.refresh();
  }

  /**
   * Handles a message of the page. Like the renderer, it ignores unknown messages (alerts too), and
   * every message before the first drawing.
   */
  receive(name, body) {
    if (name === "V2_UPDATE_CART_ITEM" && isUpdate(body)) {
      for (const mount of [...this.#mounts]) mount.receive(body);
    } else if (name === "CART_ITEM_INSTANT_PURCHASE_RESPONSE" && body) {
      for (const purchase of this.purchases) purchase.settle(body);
      this.#afterPurchase();
    }
  }

  /** The partner-event button. It always sends the message of a first add. */
  pressPartnerEvent(offer) {
    this.say("V2_CART_ITEM_UPDATED", { oldCartItem: null, cartItem: cartItem(offer, 1) });
    this.say("OFFER_ENGAGEMENT");
    this.say("POSITIVE_ENGAGEMENT");
  }

  /** @param {InstantPurchase} purchase */
  buy(purchase) {
    if (purchase.state !== "open" && purchase.state !== "failed") return;
    purchase.state = "waiting";
    this.say("OFFER_ENGAGEMENT");
    this.say("POSITIVE_ENGAGEMENT");
    this.say("CART_ITEM_INSTANT_PURCHASE", purchase.request());
    this.view.refresh();
  }

  /** @param {InstantPurchase} purchase */
  decline(purchase) {
    if (purchase.state !== "open" && purchase.state !== "failed") return;
    purchase.state = "declined";
    this.say("OFFER_ENGAGEMENT");
    this.#afterPurchase();
  }

  #afterPurchase() {
    this.view.refresh();
    if (!this.#isCompleted && this.purchases.every((purchase) => purchase.isSettled)) {
      this.#isCompleted = true;
      this.say("PLACEMENT_COMPLETED");
    }
  }

  /**
   * Restores through the legacy interface.
   *
   * @returns {[object, object][]} new and old item, for each id of an earlier impression
   */
  restore(items) {
    const rekeyed = [];
    for (const mount of this.#mounts.slice(-this.holding.offers.length)) {
      const { cartItemId, catalogItemId } = mount.offer;
      const held =
        items.find((item) => item.cartItemId === cartItemId) ??
        items.find((item) => item.catalogItemId === catalogItemId);
      const isShown = mount.restore(held?.quantity ?? 0);
      if (held && isShown && held.cartItemId !== cartItemId) rekeyed.push([mount.item, held]);
    }
    this.view.refresh();
    return rekeyed;
  }

  /** Removes the drawing. If the shopper closes it, there is no message, as recorded. */
  close() {
    this.#mounts = [];
    this.view.close();
  }
}
