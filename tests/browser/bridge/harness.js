/**
 * A page without a browser for the bridge's logic: a window whose clock, storage and network are in
 * the test's hands, a server that keeps a cart by the rules that matter to the bridge, and the
 * SDK's two interfaces. Whether a real browser agrees is the browser tests' business.
 */
import { createBridge } from "../../../static/bridge/bridge.js";

/** Lets everything run that waits for nothing but its turn: twenty rounds of the event loop are
 * more than any chain of requests in these tests needs. */
export const turn = async () => {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** A storage area, by properties as the bridge uses it; `broken` stands for private mode, where the
 * mere access throws. */
export class Storage {
  broken = false;

  constructor() {
    const open = (area) => {
      if (area.broken) throw new Error("The operation is insecure.");
      return area;
    };
    return new Proxy(this, {
      get: (area, name) => (name === "broken" ? area : open(area))[name],
      set: (area, name, value) => {
        (name === "broken" ? area : open(area))[name] = name === "broken" ? value : String(value);
        return true;
      },
    });
  }
}

/** What the tabs of one browser share: the cookie, localStorage, locks and channels. */
export class Browser {
  cookie = null;
  localStorage = new Storage();
  #channels = new Set();
  #lock = Promise.resolve();

  /** @param {Host} host @returns {object} the lock manager of a tab, which takes its locks with it */
  locks(host) {
    const request = (name, use) => {
      const done = this.#lock.then(use);
      this.#lock = Promise.race([done.catch(() => {}), host.left]);
      return done;
    };
    return { request };
  }

  /** @param {Host} host @returns {any} a class of channels that reach the other tabs */
  channels(host) {
    const all = this.#channels;
    return class extends EventTarget {
      constructor(name) {
        super();
        this.name = name;
        this.host = host;
        all.add(this);
      }

      postMessage(data) {
        for (const other of all) {
          if (other === this || other.name !== this.name || other.host.isGone) continue;
          setImmediate(() => other.dispatchEvent(Object.assign(new Event("message"), { data })));
        }
      }
    };
  }
}

/** What the bridge uses of `window`. */
export class Host extends EventTarget {
  #now = 1_000_000;
  #timers = [];
  Date = { now: () => this.#now };
  sessionStorage = new Storage();
  document = Object.assign(new EventTarget(), { hidden: false });
  location;
  fetch;
  isGone = false;

  /** @param {FakeServer} server @param {string} [origin] of the page @param {Browser} [browser] */
  constructor(server, origin = "https://shop.test", browser = new Browser()) {
    super();
    this.browser = browser;
    this.localStorage = browser.localStorage;
    this.left = new Promise((leave) => { this.leave = leave; });
    this.navigator = { locks: browser.locks(this) };
    this.BroadcastChannel = browser.channels(this);
    this.location = new URL(`${origin}/checkout`);
    // A page that is gone starts no request; what it had sent arrives.
    this.fetch = async (address, request) =>
      this.isGone ? new Promise(() => {}) : server.fetch(address, request, browser);
  }

  setTimeout(callback, ms) {
    this.#timers.push({ callback, at: this.#now + ms });
    return this.#timers.length;
  }

  /** The waits that have been asked for and are not over, in milliseconds. */
  waits() {
    return this.#timers.map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** Lets time go by, each timer at its own moment. */
  async pass(ms) {
    const end = this.#now + ms;
    await turn();
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.splice(this.#timers.indexOf(due), 1);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
      await turn();
    }
    this.#now = end;
  }

  say(name, detail = {}) {
    this.dispatchEvent(Object.assign(new Event(name), detail));
  }

  /** The same tab after a reload: the storage stays, all else is new. */
  reload(server) {
    const next = this.tab(server);
    this.isGone = true;
    this.leave();
    next.sessionStorage = this.sessionStorage;
    return next;
  }

  /** Another tab of the same browser, on the same page. */
  tab(server) {
    return new Host(server, this.location.origin, this.browser);
  }
}

const json = (status, body, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers });

export const problem = (status, detail, headers) =>
  json(status, { title: "Refused", status, code: "invalid_input", detail }, headers);

/** Holds carts like the BFF, as far as the bridge can tell the difference. */
export class FakeServer {
  /** Every request in order: {method, path, body, headers, credentials, keepalive}. */
  requests = [];
  /** What to do in place of the next answers: a Response, "lost" (no effect), "unheard" (effect, no
   * answer), or a promise to wait for before answering. */
  faults = [];
  busy = 0;
  mostBusy = 0;
  handles = new Map([["cookie", this.#empty("c1")]]);
  /** Without a session every browser starts like one that never was here. */
  #hasSession;
  /** What a reserve does to the cart, and its quote. */
  reserve = () => ({ items: [] });

  constructor({ hasSession = true } = {}) {
    this.#hasSession = hasSession;
    if (!hasSession) this.handles.clear();
  }

  #empty(cartId) {
    return { cartId, version: 0, items: [], totals: {}, removed: [], applied: new Map() };
  }

  get cart() {
    return [...this.handles.values()].at(-1);
  }

  get updates() {
    return this.requests.filter(({ path }) => path.endsWith("/updates")).map(({ body }) => body);
  }

  get reads() {
    return this.requests.filter(({ path }) => path.endsWith("/cart"));
  }

  get quantities() {
    return Object.fromEntries(this.cart.items.map((line) => [line.cartItemId, line.quantity]));
  }

  hold(item, quantity = item.quantity, more = {}) {
    const { unitPrice, ...rest } = item;
    const price = unitPrice.toFixed(2);
    const line = { ...rest, quantity, unitPrice: price, totalPrice: (unitPrice * quantity).toFixed(2) };
    this.cart.items = this.cart.items.filter((held) => held.cartItemId !== item.cartItemId);
    this.cart.items.push({ ...line, status: "held", page: "an earlier one", former: [], ...more });
    this.cart.version += 1;
  }

  async fetch(address, { method = "GET", headers, body, credentials, keepalive, signal }, browser) {
    const path = new URL(address).pathname;
    const request = { method, path, headers, credentials, keepalive, signal, address };
    this.requests.push({ ...request, body: body && JSON.parse(body) });
    this.busy += 1;
    this.mostBusy = Math.max(this.mostBusy, this.busy);
    const cookie = this.#hasSession ? "cookie" : browser.cookie; // as it is when the request goes out
    try {
      const fault = this.faults.shift();
      if (fault instanceof Promise) await fault;
      else await null;
      if (fault instanceof Response) return fault;
      if (fault === "lost") throw new TypeError("Failed to fetch");
      const answer = this.#answer(path, headers, body && JSON.parse(body), cookie, browser);
      if (fault === "unheard") throw new TypeError("Failed to fetch");
      return answer;
    } finally {
      this.busy -= 1;
    }
  }

  #open(handle) {
    this.handles.set(handle, this.#empty(`c-${handle}`));
    return handle;
  }

  #answer(path, headers, body, cookie, browser) {
    const token = headers.Authorization?.slice("Bearer ".length);
    if (path.endsWith("/session")) {
      const handle = this.#open(`handle-${this.handles.size}`);
      return json(200, { handle, cart: this.#shape(this.handles.get(handle)) });
    }
    if (!token && !cookie && !body) return json(200, this.#shape(this.#empty(null)));
    const opened = token || cookie || (browser.cookie = this.#open(`cookie-${this.handles.size}`));
    const cart = this.handles.get(opened);
    if (!cart) return problem(401, "The handle is not good any more.");
    if (path.endsWith("/reserve")) return json(200, this.reserve(cart, body));
    if (body) {
      const { updatedItem, oldItem } = body;
      if (updatedItem && !Number.isInteger(updatedItem.quantity)) {
        return problem(422, "A quantity is a whole number.");
      }
      this.#apply(cart, updatedItem, oldItem, body);
    }
    return json(200, this.#shape(cart));
  }

  #apply(cart, updated, old, { page, seq, preselected }) {
    const id = (updated ?? old).cartItemId;
    const key = `${page} ${id}`;
    if ((cart.applied.get(key) ?? 0) >= seq) return;
    cart.applied.set(key, seq);
    const known = (line) => line.catalogItemId === updated?.catalogItemId;
    if (preselected && (cart.items.some(known) || cart.removed.includes(updated.catalogItemId))) return;
    // A page that re-keyed a line itself means no line by the old id.
    const isIt = (line) => line.cartItemId === id || (line.former.includes(id) && line.page !== page);
    if (!updated?.quantity) {
      const gone = cart.items.find(isIt);
      if (!gone) return;
      cart.removed.push(gone.catalogItemId);
      cart.items = cart.items.filter((line) => line !== gone);
    } else {
      const taken = (line) => line.cartItemId === id || line.cartItemId === old?.cartItemId ||
        (known(line) && line.page !== page);
      const place = cart.items.findIndex(taken);
      const { former = [], cartItemId = id, ...held } = cart.items[place] ?? {};
      const ids = cartItemId === id ? former : [...former, cartItemId];
      const line = { ...updated, unitPrice: String(updated.unitPrice), status: "held", page, former: ids };
      const isSame = cartItemId === id && held.quantity === updated.quantity;
      if (isSame) return; // its reservation, or why there is none, stays
      cart.items.splice(place < 0 ? cart.items.length : place, place < 0 ? 0 : 1, line);
    }
    cart.version += 1;
  }

  #shape({ applied, items, ...cart }) {
    return { ...cart, items: items.map(({ page, former, ...line }) => line) };
  }
}

/** A selection: the test says what the placement says, and sees what the page sent. */
export class Selection {
  sent = [];
  #subscribers = new Map();
  context;
  deaf = false;

  constructor(sessionId = Promise.resolve("rokt-session")) {
    this.context = { sessionId };
  }

  on(name) {
    const subscribe = (callback) =>
      this.#subscribers.set(name, [...(this.#subscribers.get(name) ?? []), callback]);
    return { subscribe };
  }

  async send(name, data) {
    if (this.deaf) throw new Error("The placement is closed.");
    this.sent.push([name, data]);
  }

  say(name, body) {
    for (const callback of this.#subscribers.get(name) ?? []) callback({ name, body });
  }

  /** A change as the renderer tells it: twice. */
  change(cartItem, oldCartItem = null) {
    this.say("V2_CART_ITEM_UPDATED", { cartItem, oldCartItem });
    this.say("UPDATE_CART_ITEM_MESSAGE", { cartItem, oldCartItem });
  }
}

/** An SDK item. */
export const item = (id, quantity = 1, more = {}) => ({
  cartItemId: id, catalogItemId: `sku-${id}`, name: id, description: "", quantity,
  unitPrice: 12.5, totalPrice: 12.5 * quantity, currency: "USD", ...more,
});

/** A page that has read its cart, with what its bridge has said. */
export async function open({ server = new FakeServer(), host, origin, ...options } = {}) {
  const page = host ?? new Host(server, origin);
  const bridge = createBridge({ base: "https://shop.test/rokt", host: page, ...options });
  const events = [];
  for (const name of ["change", "refused", "notice"]) {
    bridge.addEventListener(name, ({ detail }) => events.push([name, detail]));
  }
  await turn();
  return { server, host: page, bridge, events };
}
