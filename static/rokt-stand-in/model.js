/**
 * The quantities of a placement of the stand-in, and the cart items in its messages.
 *
 * It decides which quantities are accepted, and builds the two cart items of every message. Their
 * oddities are those of the real renderer: tests/browser/stand_in/test_recording.py replays a
 * recording. rokt-stand-in.js sends the messages, and view.js draws.
 *
 * @typedef {object} Offer  one item of an impression, as the emulator returns it
 * @property {string} cartItemId  new in every impression
 * @property {string} catalogItemId  stable
 * @property {string} [name]
 * @property {string} [description]
 * @property {number} [unitPrice]  a missing price is sent as 0
 * @property {string} [currency]  ISO 4217; a missing one is sent as "$"
 * @property {string} [linkedProductId]
 * @property {boolean} [quantityMustBeSynchronized]
 * @property {string} [providerData]
 * @property {number} [minItemCount]
 * @property {number} [maxItemCount]
 * @property {number} [preselected]  quantity that is added whenever the offer is drawn
 * @property {boolean} [soldOut]
 *
 * @typedef {object} CartItem  an offer in a message to the page
 * @property {string} cartItemId
 * @property {string} catalogItemId
 * @property {string} name
 * @property {string} description
 * @property {number} quantity
 * @property {string} currency
 * @property {number} unitPrice
 * @property {number} totalPrice  a float product, never rounded: 0.1 × 3 is 0.30000000000000004
 * @property {string} [linkedProductId]
 * @property {boolean} [quantityMustBeSynchronized]
 * @property {string} providerData
 *
 * @callback Tell
 * @param {CartItem | null} updated
 * @param {CartItem | null} old
 * @returns {void}
 */

// ---- Cart items ------------------------------------------------------------------------------

/**
 * @param {Offer} offer
 * @param {number} quantity
 * @returns {CartItem}
 */
export function cartItem(offer, quantity) {
  const unitPrice = offer.unitPrice ?? 0;
  const item = {
    cartItemId: offer.cartItemId,
    catalogItemId: offer.catalogItemId,
    name: offer.name ?? "",
    description: offer.description ?? "",
    quantity,
    currency: offer.currency ?? "$",
    unitPrice,
    totalPrice: unitPrice * quantity,
    providerData: offer.providerData ?? "",
  };
  for (const optional of ["linkedProductId", "quantityMustBeSynchronized"]) {
    if (offer[optional] !== undefined && offer[optional] !== null) item[optional] = offer[optional];
  }
  return item;
}

/** The old item that the renderer invents after a redraw. Only its id and quantity are real. */
function inventedItem(cartItemId, quantity) {
  return {
    cartItemId,
    catalogItemId: "catalogItemId",
    name: "Catalog Title",
    description: "This is a catalog item",
    unitPrice: 10,
    totalPrice: 10,
    quantity,
    currency: "USD",
    providerData: "",
  };
}

/** The item in the message for an id of an earlier impression, which is not here. */
function absentItem(cartItemId) {
  return {
    cartItemId,
    catalogItemId: "",
    name: "",
    description: "",
    quantity: 0,
    unitPrice: 0,
    totalPrice: 0,
    currency: "",
    providerData: "",
  };
}

// ---- Quantities ----------------------------------------------------------------------------

/** The quantities of one placement, and their bounds. */
export class Holding {
  /** @type {Map<string, number>} by cartItemId */
  #quantities = new Map();

  /**
   * @param {Offer[]} offers
   * @param {number | null} [maxTotal]  the most items of the placement in total
   */
  constructor(offers, maxTotal = null) {
    this.offers = offers;
    this.maxTotal = maxTotal ?? Infinity;
  }

  /** @param {Offer} offer */
  quantity(offer) {
    return this.#quantities.get(offer.cartItemId) ?? 0;
  }

  /**
   * @param {Offer} offer
   * @param {number} quantity
   */
  put(offer, quantity) {
    this.#quantities.set(offer.cartItemId, quantity);
  }

  /** @returns {CartItem[]} */
  items() {
    return this.offers
      .filter((offer) => this.quantity(offer) > 0)
      .map((offer) => cartItem(offer, this.quantity(offer)));
  }

  /**
   * Whether the placement accepts this quantity. Other changes are ignored without a message.
   *
   * @param {Offer} offer
   * @param {number} quantity
   */
  takes(offer, quantity) {
    if (!Number.isFinite(quantity) || offer.soldOut) return false;
    if (quantity < (offer.minItemCount ?? 0)) return false;
    if (quantity > (offer.maxItemCount ?? Infinity)) return false;
    const held = this.quantity(offer);
    const others = this.offers.reduce((sum, each) => sum + this.quantity(each), 0) - held;
    return quantity <= held || others + quantity <= this.maxTotal;
  }

  /**
   * @param {Offer} offer
   * @returns {boolean} whether the shopper cannot change the quantity
   */
  isForced(offer) {
    return (
      (offer.preselected ?? 0) > 0 &&
      offer.preselected === offer.minItemCount &&
      offer.preselected === offer.maxItemCount
    );
  }
}

/**
 * One drawing of one offer. It knows the item of its own last message only. Earlier drawings still
 * handle messages of the page. So after a redraw there are invented old items and contradicting
 * duplicates, as in the real renderer.
 */
export class Mount {
  /**
   * @param {Holding} holding
   * @param {Offer} offer
   * @param {Tell} tell
   */
  constructor(holding, offer, tell) {
    this.holding = holding;
    this.offer = offer;
    this.tell = tell;
    const held = holding.quantity(offer);
    /** @type {CartItem | null} */
    this.item = held > 0 ? inventedItem(offer.cartItemId, held) : null;
    if (offer.preselected) this.set(offer.preselected);
  }

  /**
   * Sets the quantity and sends a message, unless the quantity is the same or out of bounds. Less
   * than one item counts as none.
   *
   * @param {number} quantity
   */
  set(quantity) {
    if (quantity === (this.item?.quantity ?? 0)) return;
    if (!this.holding.takes(this.offer, quantity)) return;
    const updated = quantity < 1 ? null : cartItem(this.offer, quantity);
    const old = this.item && !updated ? { ...this.item, quantity: 0, totalPrice: 0 } : this.item;
    this.item = updated;
    this.holding.put(this.offer, updated ? quantity : 0);
    this.tell(updated, old);
  }

  /**
   * Handles a V2_UPDATE_CART_ITEM of the page.
   *
   * @param {{cartItemId: string, quantity: number}} update
   */
  receive({ cartItemId, quantity }) {
    const { offer } = this;
    if (cartItemId === offer.cartItemId) {
      this.set(quantity);
    } else if (`:${cartItemId}`.endsWith(`:${offer.catalogItemId}`)) {
      if (quantity !== 0 && this.holding.takes(offer, quantity)) {
        this.tell(absentItem(cartItemId), null);
      }
    }
  }

  /** Sets a quantity without a message, for the legacy interface. */
  restore(quantity) {
    if (!this.holding.takes(this.offer, quantity)) return false;
    this.item = quantity < 1 ? null : cartItem(this.offer, quantity);
    this.holding.put(this.offer, quantity < 1 ? 0 : quantity);
    return true;
  }
}

/**
 * Whether the renderer accepts this body: exactly these two members, of these types.
 *
 * @param {unknown} body
 * @returns {body is {cartItemId: string, quantity: number}}
 */
export function isUpdate(body) {
  return (
    typeof body === "object" &&
    body !== null &&
    Object.keys(body).sort().join() === "cartItemId,quantity" &&
    typeof body.cartItemId === "string" &&
    typeof body.quantity === "number" &&
    body.quantity >= 0
  );
}

// ---- Selling after the payment ---------------------------------------------------------------

/**
 * One offer for an instant purchase. `state` is "open", "waiting" (for the page's response),
 * "bought", "failed" (may be tried again), "gone" (sold out meanwhile) or "declined".
 */
export class InstantPurchase {
  state = "open";
  note = "";

  /** @param {Offer} offer */
  constructor(offer) {
    this.offer = offer;
  }

  get isSettled() {
    return ["bought", "gone", "declined"].includes(this.state) || Boolean(this.offer.soldOut);
  }

  /** @returns {{upsellItems: CartItem[], totalUpsellPrice: number, currency: string}} */
  request() {
    const item = cartItem(this.offer, 1);
    return { upsellItems: [item], totalUpsellPrice: item.totalPrice, currency: item.currency };
  }

  /**
   * Handles a CART_ITEM_INSTANT_PURCHASE_RESPONSE of the page, if it is about this offer.
   *
   * @param {{upsellItems?: CartItem[], success?: boolean, reason?: string,
   *   upsellConfirmationId?: string, orderConfirmationId?: string}} answer
   */
  settle(answer) {
    const named = Array.isArray(answer.upsellItems) ? answer.upsellItems : [];
    const isAboutThis =
      named.length === 0 || named.some((item) => item?.cartItemId === this.offer.cartItemId);
    if (this.state !== "waiting" || !isAboutThis) return;
    const reason = String(answer.reason ?? "");
    const failed = reason === "sold_out" ? "gone" : "failed";
    this.state = answer.success === true ? "bought" : failed;
    this.note =
      this.state === "bought"
        ? String(answer.upsellConfirmationId ?? answer.orderConfirmationId ?? "")
        : reason.match(/.* .*/)?.[0] ?? ""; // a word alone is a code, for programs
  }
}
