/** Shapes of bridge.js, the browser half of rokt-bff. Amounts are decimal strings, times RFC 3339 in UTC. */

/** An item as the Rokt Web SDK describes it; numbers are browser floats. */
export interface CartItem {
  cartItemId: string;
  catalogItemId: string;
  name: string;
  description: string;
  quantity: number;
  unitPrice: number;
  totalPrice: number;
  currency: string;
  linkedProductId?: string;
  quantityMustBeSynchronized?: boolean;
  /** JSON of the item's provider; the server neither reads nor keeps it. */
  providerData?: string;
}

/** A line that the server holds. */
export interface Item {
  cartItemId: string;
  catalogItemId: string;
  name: string;
  description: string;
  quantity: number;
  unitPrice: string;
  totalPrice: string;
  currency: string;
  linkedProductId?: string;
  quantityMustBeSynchronized?: boolean;
  status: "held" | "reserved" | "rejected";
  reservedUntil?: string | null;
  /** Why not all of it can be had, such as `sold_out`, `partly_reserved` or `price_changed` (consent is missing). */
  reason?: string | null;
  /** How much of `quantity` the shopper can have as Rokt's answer stands, 0 included; absent: all of it. */
  available?: number;
  /** The unit price that Rokt locked, where it is another than `unitPrice`, which the shopper saw. */
  lockedPrice?: string;
}

/** The cart that the server holds for this shopper. */
export interface Cart {
  cartId: string | null;
  version: number;
  items: Item[];
  /** Currency to sum, such as `{USD: "25.00"}`, of what is available: at the price that Rokt locked, else as seen. */
  totals: Record<string, string>;
  /** Catalogue items that the shopper took out. */
  removed: string[];
}

/** An RFC 9457 problem document. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  code?: string;
  detail?: string;
  /** Field to messages, such as `{"updatedItem.quantity": ["…"]}`. */
  errors?: Record<string, string[]>;
}

/** One change as it is sent, and as it waits in sessionStorage. */
export interface Update {
  updatedItem: CartItem | null;
  /** Of the old item only the id counts; the rest may be made up. */
  oldItem: Pick<CartItem, "cartItemId"> | null;
  /**
   * UUID of the page load that the change stems from; a replay after a reload keeps it. Another one once a placement
   * was closed: what is shown again has other ids for the same items, as after a reload.
   */
  page: string;
  /** 1, 2, 3 … within the page; with `page` it makes a repetition harmless. */
  seq: number;
  /** The message came before the placement was interactive: nobody had clicked yet. */
  preselected?: true;
  /** As the selection gave it when the change was made. */
  roktSessionId?: string;
}

/** What the placement shows for one of its cart item ids. */
export interface Shown {
  /** As last told; absent when the id was only asked for. */
  quantity?: number;
  /** Absent when the id was only asked for, and the placement never named it. */
  catalogItemId?: string;
  /** The channel that told it: a message of a selection, or the legacy callback. Each repeats the others. */
  by?: unknown;
  /** Quantities asked for whose echoes have not come. They come in order; an ask may be ignored without a word. */
  asks?: number[];
  /** When it was last asked for, in milliseconds. After 20 s a message with such a quantity is the shopper's. */
  at?: number;
}

/** Data of the message V2_UPDATE_CART_ITEM. */
export interface Ask {
  cartItemId: string;
  quantity: number;
}

export interface Options {
  /** Address of the BFF, such as "/rokt" or "https://bff.example/rokt"; by default the one that bridge.js was loaded from, by whichever of its addresses. */
  base?: string;
  /** A handle that the page already has; without one, a base on another origin starts a session at the first update. */
  handle?: string;
  /** Stands for `window` in tests. */
  host?: any;
}

export interface ReserveWish {
  /** Unit prices, by cart item id, that the shopper was shown and took. */
  acceptPrices?: Record<string, string>;
}

/** What Rokt holds for this shopper, and for how much. `items`: quantities and prices as locked. */
export interface Quote {
  quoteId: string;
  cartId: string;
  items: Item[];
  rejected: { cartItemId: string; catalogItemId: string; name: string; quantity: number; reason: string }[];
  /** Unit prices that changed since the shopper saw them. A dearer item is in `items` only with their consent. */
  priceChanges: { cartItemId: string; from: string; to: string }[];
  totals: Record<string, string>;
  expiresAt: string | null;
}

export interface BridgeEvents {
  /** The server gave its cart. */
  change: CustomEvent<Cart>;
  /** The server said no for good. Of an update: `notice` and a `change` with the server's cart follow. */
  refused: CustomEvent<Problem>;
  /**
   * A few words for the shopper, in English: a change was refused, or not all of `item` can be had, for `item.reason`.
   * Of an item once, until something about it changes, and again on the next page. bridge-notices.js says it well.
   */
  notice: CustomEvent<string> & { readonly item?: Item };
  /** A selection was attached, before it draws: for modules that listen to it as well. */
  selection: CustomEvent<any>;
}

export interface Bridge extends EventTarget {
  /** The last cart that the server gave; null until the first answer. */
  readonly cart: Cart | null;
  /** The bearer handle for a partner page's form; null on the shop's own origin and before the first update. */
  readonly handle: string | null;
  /** The selections that are attached and not closed. */
  readonly selections: ReadonlySet<any>;
  /**
   * For the legacy SDK, `rokt.cart.onUpdateItem(bridge.updateItemCallback)`, and for buttons of the page's own:
   * `bridge.updateItemCallback(null, {cartItemId, quantity: 0})` takes a line out, here and in the placement.
   */
  updateItemCallback(updatedItem?: CartItem | null, oldItem?: Pick<CartItem, "cartItemId"> | null): void;
  /**
   * Listens to a selection, or to the legacy SDK (an object with `cart.onUpdateItem`), and shows it the held cart.
   * Call it before the placement draws; twice does no harm. Gives back what it was given.
   */
  attach<T>(sdk: T): T;
  /** Resolves with the cart once the server has answered every update, refusals included. */
  settled(): Promise<Cart | null>;
  /** Reads the cart anew. When the server cannot be reached it resolves with the last one, and goes on trying. */
  refresh(): Promise<Cart | null>;
  /**
   * Has the items held and priced at Rokt, once the last change is stored, and reads the cart anew: what was not
   * granted is taken back in the placement. Null where there is no quote: sell without the upsell. A change that cannot
   * be sent within 3 s is such a case, as the quote would be of another cart.
   */
  reserve(wish?: ReserveWish): Promise<Quote | null>;
  /** `guard` of bridge-guard.js, which it loads. */
  guard(target: Element | string, limit?: number): Promise<void>;
  /** Loads bridge-<name>.js from beside bridge.js and starts it, as the tag's attribute `data-<name>` does. */
  use(name: "guard" | "notices" | "purchase", ...given: any[]): Promise<void>;
  addEventListener<K extends keyof BridgeEvents>(
    type: K, listener: (event: BridgeEvents[K]) => void, options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions,
  ): void;
}

/**
 * Starts a bridge: it reads the cart, sends what an earlier page load left unsent, and then sends each change.
 *
 * - One request at a time, in order. Waiting changes of one item become one; the one in flight is left alone.
 * - No answer within 20 s, 408, 429 and 5xx: again after `Retry-After` seconds, else after `backoff`, at most 20 s, or at
 *   once when the browser is online again. Any other 4xx: `refused`, and the cart is read anew. 401 with a handle: once
 *   more in a new session.
 * - What is unsent lies in sessionStorage until it is answered, and goes out with keepalive on `pagehide`: all of it
 *   stays stored, as `page` and `seq` make it harmless to repeat. A large one (20,000 characters; the browser allows
 *   64 KiB to keepalive in all) goes without.
 * - On another origin: `Authorization: Bearer`; the handle lies in localStorage under the base address. No cookie goes
 *   there: that is fetch's default. Before the first update there is no handle, the cart is empty and nothing is asked.
 * - Tabs tell each other of changes (BroadcastChannel), and read the cart anew when it becomes visible or another tab
 *   has another version. While no session is known, updates wait for each other (Web Locks, where https gives them),
 *   so that two tabs do not start two sessions.
 * - Once every placement is interactive (or had 20 s for it), nothing waits and the cart is known, they are asked to
 *   show what can be had of what is held. Their echoes are no updates, nor is the second copy of a message.
 * - The SDK's failures stay its own: nothing that it throws or rejects reaches the page from here.
 */
export function createBridge(options?: Options): Bridge;

/**
 * Attaches the bridge to every SDK that the window has or gets: what `Rokt.createLauncher()`, `selectPlacements()` and
 * `mParticle.Rokt.selectPlacements()` resolve to, and `rokt.cart`, also where an empty object is filled later. Their
 * methods are replaced on the objects themselves; a frozen object is stood in for by one that calls it.
 * A selection made before goes unseen: attach it.
 */
export function watch(bridge: Pick<Bridge, "attach">, host?: any): void;

/**
 * The bridge that the page's own element starts, else null:
 * `<script type="module" src="…/bridge.js" data-rokt-bff="/rokt" data-guard="#continue">`. An empty `data-rokt-bff`
 * is the address that bridge.js was loaded from. It also watches. Optional, each a module beside it:
 * `data-guard` (a selector of what to hold), `data-notices` (a selector of the live region), `data-purchase` (the
 * address of the shop's route that buys with one press after the payment).
 */
export const bridge: Bridge | null;

// The decisions, each a pure function.

type Change = Pick<Update, "updatedItem" | "oldItem">;

/** The item that a change is about. */
export function itemId(change: Change): string | undefined;

/** May the same request succeed later? Status 0 stands for no whole answer. */
export function isPassing(status: number): boolean;

/** Milliseconds before the next attempt: 0.5 s doubled up to 20 s, less up to half of it at random. */
export function backoff(failures: number, random?: number): number;

/**
 * Appends an update and drops the waiting one that it makes pointless: not the one in flight, nor one of another page
 * load or a preselection (the server treats them differently), nor one that re-keys a line, as the next update on
 * that item no longer names the old id.
 */
export function coalesce(queue: Update[], update: Update, flying?: Update): Update[];

/**
 * The id that a held line has on this page. On a return the placement gives new ids, while the line has the one of the
 * earlier visit; then it is an id of the same catalogue item that no other line has.
 */
export function idHere(line: Item, cart: Cart, shown: Map<string, Shown>): string;

/** What to ask for so that the placement shows what is held, as far as it can be had (`available`). */
export function differences(cart: Cart, shown: Map<string, Shown>): Ask[];
