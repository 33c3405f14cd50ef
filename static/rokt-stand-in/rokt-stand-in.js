/**
 * A stand-in for Rokt's Web SDK, for development and tests. Load it in place of the real launcher. The
 * page's own code stays the same.
 *
 *     <div id="rokt-placeholder"></div>
 *     <script type="module" async id="rokt-launcher" src="…/rokt-stand-in.js"
 *             data-offers="http://127.0.0.1:8081/_emulator/offers"></script>
 *
 * Like the real script it sets `window.Rokt` (`createLauncher`), and the element fires `load`.
 * It also sets the interface of the first generation, `window.rokt.cart`.
 *
 * Options, as data attributes of the script element:
 *   data-offers      address of an impression: {sessionId, pageInstanceGuid, offers, maxTotal}
 *   data-target      selector of the element to draw into; "#rokt-placeholder" by default
 *   data-layout      "cart" | "confirmation" (after the payment) | "partner-event"; by default
 *                    "confirmation" for identifiers that end in ".confirmation", else "cart"
 *   data-heading     heading above the offers
 *   data-breakpoint  width in CSS pixels below which the layout is narrow; 600 by default
 *
 * This module has the launcher, the selection with its messages, and the legacy cart. See
 * placement.js for a placement, model.js for its items and messages, and view.js for its look.
 * Interface: https://docs.rokt.com/developers/integration-guides/web/library/selection
 */
import { Placement } from "./placement.js";

/** Offers that take longer are a failure. */
const OFFERS_TIME_LIMIT_MS = 10_000;

/** Selections with a drawn placement, for the legacy cart. */
const drawn = new Set();

// ---- Options ---------------------------------------------------------------------------------

/** @returns {DOMStringMap} read at each use, because a page may set the attributes after the script ran */
function launcherData() {
  const element =
    document.getElementById("rokt-launcher") ?? document.querySelector("script[data-offers]");
  return element instanceof HTMLElement ? element.dataset : {};
}

/** @param {string} identifier */
function readOptions(identifier) {
  const data = launcherData();
  return {
    offers: data.offers ?? "",
    target: data.target || "#rokt-placeholder",
    layout: data.layout || (/\.confirmation$/.test(identifier) ? "confirmation" : "cart"),
    heading: data.heading ?? "",
    breakpoint: Number(data.breakpoint) || 600,
  };
}

// ---- Transport -------------------------------------------------------------------------------

/** Sends messages in one direction, as structured clones, each in a later task, in order. */
class Wire {
  #channel = new MessageChannel();

  /** @param {(message: any) => void} receive */
  constructor(receive) {
    this.#channel.port1.onmessage = (event) => receive(event.data);
  }

  /** @param {unknown} message */
  post(message) {
    this.#channel.port2.postMessage(message);
  }
}

/** @returns {{promise: Promise<any>, resolve: Function, reject: Function}} */
function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  parts.promise.catch(() => {}); // no unhandled rejection in a page that does not use it
  return parts;
}

// ---- Selection -------------------------------------------------------------------------------

/** What `launcher.selectPlacements` resolves to. */
class Selection {
  /** @type {Map<string, Set<Function>>} */
  #subscribers = new Map();
  #session = deferred();
  #found = deferred();
  #ready = deferred();
  #isClosed = false;
  /** @type {Placement | null} */
  #placement = null;
  #toPage = new Wire((message) => this.#deliver(message));
  #toPlacement = new Wire((message) => this.#receive(message));
  #unhandled = [];

  /** @param {{identifier?: string}} request  its attributes are not sent anywhere */
  constructor({ identifier = "" }) {
    this.context = { sessionId: this.#session.promise };
    const options = readOptions(identifier);
    // Runs in a later task, after the page has subscribed. Messages are not replayed.
    setTimeout(() => this.#open(options), 0);
  }

  async #open(options) {
    try {
      const impression = await fetchImpression(options.offers);
      this.#session.resolve(impression.sessionId);
      const isEmpty = this.#isClosed || impression.offers.length === 0;
      const say = (name, body) => this.#say(name, body);
      this.#placement = isEmpty ? null : new Placement(impression, options, say);
      this.#found.resolve(isEmpty ? [] : [publicPlacement(impression.pageInstanceGuid, this)]);
      if (this.#placement && (await this.#placement.open())) {
        drawn.add(this);
        restoreLegacy(this);
      }
      this.#ready.resolve();
    } catch (error) {
      console.warn(`rokt-stand-in: ${error.message}`);
      this.#placement = null;
      for (const waiting of [this.#session, this.#found, this.#ready]) waiting.reject(error);
      this.#say("PLACEMENT_FAILURE");
    }
  }

  #say(name, body) {
    this.#toPage.post(body === undefined ? { name } : { name, body });
  }

  #deliver({ legacy, ...event }) {
    if (legacy) {
      callAll(legacyListeners, legacy);
      return;
    }
    callAll(this.#subscribers.get(event.name) ?? [], [event]);
    if (event.name === "UPDATE_CART_ITEM_MESSAGE") {
      callAll(legacyListeners, [event.body.cartItem, event.body.oldCartItem]);
    }
  }

  #receive({ name, body }) {
    const handled = this.#unhandled.shift();
    this.#placement?.receive(name, body);
    handled();
  }

  /**
   * @param {string} name
   * @returns {{subscribe: (callback: (event: {name: string, body?: any}) => void) =>
   *   {unsubscribe: () => void}}}
   */
  on(name) {
    return {
      subscribe: (callback) => {
        const callbacks = this.#subscribers.get(name) ?? new Set();
        this.#subscribers.set(name, callbacks.add(callback));
        return { unsubscribe: () => void callbacks.delete(callback) };
      },
    };
  }

  /**
   * @param {string} name
   * @param {unknown} [data]
   * @returns {Promise<void>} once the placement has handled it
   */
  async send(name, data) {
    this.#toPlacement.post(data === undefined ? { name } : { name, body: data });
    await new Promise((resolve) => this.#unhandled.push(resolve));
  }

  /** @returns {Promise<void>} once the placement can be used; rejects if it cannot be drawn */
  ready() {
    return this.#ready.promise;
  }

  /** @returns {Promise<object[]>} resolves before they are drawn; empty if there is nothing to offer */
  getPlacements() {
    return this.#found.promise;
  }

  async setAttributes() {}

  async close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    drawn.delete(this);
    if (this.#placement) {
      this.#placement.close();
      this.#say("PLACEMENT_CLOSED");
    }
  }

  /** @returns {object[]} this selection's items for the legacy cart */
  legacyItems() {
    return this.#placement?.holding.items() ?? [];
  }

  legacyRestore(items) {
    for (const pair of this.#placement?.restore(items) ?? []) this.#toPage.post({ legacy: pair });
  }
}

/** Calls each subscriber with its own copy. An error in one does not affect the others. */
function callAll(callbacks, values) {
  for (const callback of [...callbacks]) {
    try {
      callback(...structuredClone(values));
    } catch (error) {
      reportError(error);
    }
  }
}

/** @param {Selection} selection */
function publicPlacement(id, selection) {
  return {
    id,
    on: (name) => selection.on(name),
    send: (name, data) => selection.send(name, data),
    ready: () => selection.ready(),
    close: () => selection.close(),
  };
}

async function fetchImpression(address) {
  if (!address) {
    throw new Error("the script #rokt-launcher needs data-offers: set it to the address of the offers");
  }
  const response = await fetch(address, {
    credentials: "omit",
    cache: "no-store", // every visit is a new impression
    signal: AbortSignal.timeout(OFFERS_TIME_LIMIT_MS),
  });
  if (!response.ok) throw new Error(`${address} returned ${response.status}`);
  const impression = await response.json();
  if (!Array.isArray(impression?.offers)) throw new Error(`${address} has no list of offers`);
  return impression;
}

// ---- Legacy cart -----------------------------------------------------------------------------

/** @type {Set<Function>} */
const legacyListeners = new Set();
/** @type {object[] | null} items that were set before a placement was drawn */
let legacyPending = null;

function restoreLegacy(selection) {
  if (legacyPending) selection.legacyRestore(legacyPending);
  legacyPending = null;
}

/** The first generation: https://docs.rokt.com/docs/sdk/web-sdk/interfaces/cart.html */
const legacyCart = {
  /** @param {(updatedItem: object | null, oldItem: object | null) => void} callback */
  onUpdateItem(callback) {
    legacyListeners.add(callback);
  },
  /** @param {object[]} items  shown without a message, unless an id is of an earlier impression */
  setItems(items) {
    legacyPending = structuredClone(items);
    for (const selection of drawn) selection.legacyRestore(legacyPending);
    if (drawn.size > 0) legacyPending = null;
  },
  /** @returns {object[]} a fresh copy */
  getItems() {
    return structuredClone(
      legacyPending ?? [...drawn].flatMap((selection) => selection.legacyItems()),
    );
  },
};

// ---- Launcher --------------------------------------------------------------------------------

/** @param {{accountId: string, sandbox?: boolean}} options  as for the real one */
async function createLauncher(options) {
  if (!options?.accountId) throw new Error("createLauncher needs an accountId");
  const selections = [];
  return {
    /** @param {{identifier?: string, attributes?: object}} [request] */
    async selectPlacements(request = {}) {
      const selection = new Selection(request);
      selections.push(selection);
      return selection;
    },
    async terminate() {
      await Promise.all(selections.map((selection) => selection.close()));
    },
  };
}

window.Rokt = Object.freeze({ createLauncher });
window.rokt = Object.freeze({ cart: Object.freeze(legacyCart) });
