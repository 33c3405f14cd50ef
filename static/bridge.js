/** Takes what the Rokt Web SDK says to the BFF, and the held cart back: see bridge.d.ts. */
const TWIN_MS = 5000;
const ANSWER_MS = 15000;
const KEEPALIVE = 20000; // characters, within 64 KiB

export const itemId = ({ updatedItem, oldItem }) => (updatedItem ?? oldItem)?.cartItemId;

export const isNotHere = ({ updatedItem, oldItem }) =>
  !oldItem && updatedItem?.quantity === 0 && !updatedItem.catalogItemId;

export const isPassing = (status) => /^(0|408|429|5..)$/.test(status);

export const backoff = (failures, random = Math.random()) =>
  Math.min(30000, 250 * 2 ** failures) * (1 - random / 2);

export const coalesce = (queue, update, flying) => {
  const slot = (one) => `${[one.page, one.preselected, itemId(one)]}`;
  const rekeys = (one) => one.oldItem && one.oldItem.cartItemId !== itemId(one);
  const kept = (one) => one === flying || rekeys(one) || slot(one) !== slot(update);
  return [...queue.filter(kept), update];
};

export const idHere = (line, cart, shown) => {
  const isNamed = (id) => shown.get(id)?.catalogItemId === line.catalogItemId;
  const isFree = (id) => isNamed(id) && !cart.items.some((other) => other.cartItemId === id);
  return (!isNamed(line.cartItemId) && [...shown.keys()].find(isFree)) || line.cartItemId;
};

export const differences = (cart, shown) => {
  const wanted = new Map();
  for (const [id, { catalogItemId }] of shown) if (catalogItemId) wanted.set(id, 0);
  for (const line of cart.items) {
    const id = idHere(line, cart, shown);
    wanted.set(id, line.status === "rejected" ? shown.get(id)?.quantity : line.quantity);
  }
  return [...wanted].filter(([id, quantity]) => shown.get(id)?.quantity !== quantity)
    .map(([cartItemId, quantity]) => ({ cartItemId, quantity }));
};

export const createBridge = ({
  base = import.meta.url.replace(/\/static\/.*/, ""), handle = "", host = globalThis,
} = {}) => {
  const root = new URL(base, host.location.href).href.replace(/\/$/, "");
  const bearer = handle || new URL(root).origin !== host.location.origin;
  const key = `rokt-bff:${root}`;
  const now = () => host.Date.now();
  // randomUUID needs https, a blob's address does not
  const page = host.crypto.randomUUID?.() ?? URL.createObjectURL(new Blob()).slice(-36);
  const carts = new Set(); // of the legacy SDK
  const drawing = new Set(); // selections that are not interactive yet
  const ready = new Set();
  const shown = new Map(); // what the placement shows, and who said so
  let cart = null, roktSessionId, seq = 0;
  let running, flying, wake, failures = 0;
  let stale = 1; // wishes to read the cart anew

  const store = (area, value) => {
    try {
      if (value === undefined) return JSON.parse(host[area].getItem(key));
      host[area].setItem(key, JSON.stringify(value));
    } catch {} // private mode
    return value;
  };
  const getHandle = () => (bearer && (store("localStorage") ?? handle)) || null;
  const setHandle = (value) => (handle = store("localStorage", value));
  const setQueue = (value) => (queue = store("sessionStorage", value));
  let queue = [].concat(store("sessionStorage") ?? []);
  if (handle) setHandle(handle);

  const emit = (name, detail) => bridge.dispatchEvent(new CustomEvent(name, { detail }));
  const step = () => new Promise((done) => bridge.addEventListener("step", done, { once: true }));
  const sleep = (ms) => new Promise((done) => host.setTimeout(done, ms));
  const quietly = async (use) => {
    try {
      await use();
    } catch {} // the SDK's failures are not the page's
  };

  const write = (update) => {
    const { updatedItem, oldItem } = update;
    const isMeant = (held) => idHere(held, cart, shown) === oldItem?.cartItemId;
    const line = !updatedItem && cart?.items.find(isMeant); // it may have an earlier id
    const renamed = line && { oldItem: { ...oldItem, cartItemId: line.cartItemId } };
    return JSON.stringify({ ...update, ...renamed, roktSessionId });
  };

  // Status 0: no whole answer.
  const call = async (path, body) => {
    const headers = { "Rokt-Bff": "1", "Content-Type": "application/json" };
    if (getHandle()) headers.Authorization = `Bearer ${getHandle()}`;
    try {
      const answer = await host.fetch(root + path, {
        method: body ? "POST" : "GET",
        headers,
        body,
        credentials: bearer ? "omit" : "same-origin",
        keepalive: body?.length < KEEPALIVE,
        signal: host.AbortSignal.timeout(ANSWER_MS),
      });
      const { ok, status } = answer;
      const data = await answer.json().catch(() => {});
      const wait = +answer.headers.get("Retry-After") * 1000;
      return { ok, status: ok && !data ? 0 : status, data, wait };
    } catch {
      return { status: 0 };
    }
  };

  const next = async () => {
    const update = (flying = queue[0]);
    const token = getHandle();
    const wishes = stale; // a later one needs another answer
    let answer;
    if (update && bearer && !token) {
      answer = await call("/session", "{}");
      if (answer.data?.handle && !getHandle()) setHandle(answer.data.handle);
    }
    if (!answer || answer.ok) {
      answer = await call(update ? "/cart/updates" : "/cart", update && write(update));
    }
    flying = null;
    const { ok, status, data, wait } = answer;
    const lapsed = status === 401 && token;
    if (lapsed && getHandle() === token) setHandle(null);
    failures = lapsed || isPassing(status) ? failures + 1 : 0;
    if (failures) return wait;
    stale -= wishes;
    setQueue(queue.filter((other) => other !== update));
    if (ok) emit("change", (cart = data));
    else emit("refused", data ?? { status, title: "Refused" });
    if (ok || !update) return;
    stale++;
    emit("notice", "That change was refused.");
  };

  const run = async () => {
    if (running) return;
    running = true;
    while (queue.length || stale) {
      const wait = await next();
      emit("step");
      if (failures) {
        await new Promise((done) => {
          wake = wait ? null : done;
          host.setTimeout(done, wait || backoff(failures));
        });
      }
    }
    running = false;
    show();
  };

  const show = () => {
    if (!cart || stale || queue.length || !(ready.size + carts.size)) return;
    const asks = differences(cart, shown);
    for (const ask of asks) {
      const { cartItemId, quantity } = ask;
      shown.set(cartItemId, { ...shown.get(cartItemId), quantity, by: show, at: now() });
      for (const sdk of ready) quietly(() => sdk.send("V2_UPDATE_CART_ITEM", ask));
    }
    const items = cart.items.map((line) => ({
      ...line,
      cartItemId: idHere(line, cart, shown),
      unitPrice: +line.unitPrice,
      totalPrice: +line.totalPrice,
    }));
    if (asks.length) for (const legacy of carts) quietly(() => legacy.setItems(items));
  };

  const receive = (by, early, updatedItem = null, oldItem = null) => {
    const id = itemId({ updatedItem, oldItem });
    const quantity = updatedItem?.quantity ?? 0;
    const last = shown.get(id) ?? {};
    // Each channel repeats a change, and the placement an ask.
    const isTwin = last.by !== by && last.quantity === quantity && last.at > now() - TWIN_MS;
    if (!id || isTwin || (last.by === show && isNotHere({ updatedItem, oldItem }))) return;
    const catalogItemId = updatedItem?.catalogItemId || last.catalogItemId;
    const isOwn = by === updateItemCallback && !carts.size; // a button of the page
    if (!isOwn) shown.set(id, { quantity, catalogItemId, by, at: now() });
    const preselected = (early && !oldItem) || undefined;
    setQueue(coalesce(queue, { page, seq: ++seq, preselected, updatedItem, oldItem }, flying));
    run();
  };

  const updateItemCallback = (updatedItem, oldItem) => {
    receive(updateItemCallback, drawing.size && !ready.size, updatedItem, oldItem);
  };

  const attach = (sdk) => {
    if (sdk?.cart?.onUpdateItem && !carts.has(sdk.cart)) {
      carts.add(sdk.cart);
      quietly(() => sdk.cart.onUpdateItem(updateItemCallback));
    }
    if (sdk?.on && !drawing.has(sdk) && !ready.has(sdk)) {
      drawing.add(sdk);
      const on = (name, hear) => quietly(() => sdk.on(name).subscribe(hear));
      for (const name of ["V2_CART_ITEM_UPDATED", "UPDATE_CART_ITEM_MESSAGE"]) {
        const hear = ({ body }) =>
          receive(hear, drawing.has(sdk), body?.cartItem, body?.oldCartItem);
        on(name, hear);
      }
      on("PLACEMENT_INTERACTIVE", () => {
        drawing.delete(sdk);
        ready.add(sdk);
        show();
      });
      quietly(async () => (roktSessionId = (await sdk.context.sessionId) ?? roktSessionId));
    }
    show();
  };

  const settled = async () => {
    await sleep(0); // the last click comes in a later task
    while (queue.length) await step();
    return cart;
  };

  const refresh = async () => {
    stale++;
    run();
    wake?.();
    do await step();
    while (stale && !failures);
    return cart;
  };

  const guard = (element, limit = 3000) => {
    const isForm = element.requestSubmit;
    let held, free;
    element.addEventListener(isForm ? "submit" : "click", async (event) => {
      if (free || !queue.length) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (held) return;
      held = true;
      await Promise.race([settled(), sleep(limit)]);
      held = false;
      free = true;
      if (isForm) element.requestSubmit(event.submitter);
      else element.click();
      free = false;
    }, true);
  };

  host.addEventListener("online", () => wake?.());
  host.addEventListener("pageshow", (event) => event.persisted && refresh());
  host.addEventListener("visibilitychange", () => host.document.hidden || refresh());
  // All stays stored: page and seq make it harmless to repeat.
  host.addEventListener("pagehide", () => queue.forEach((update) =>
    update === flying || call("/cart/updates", write(update))));

  const bridge = Object.defineProperties(
    Object.assign(new EventTarget(), { attach, guard, refresh, settled, updateItemCallback }),
    { cart: { get: () => cart }, handle: { get: getHandle } },
  );
  run();
  return bridge;
};

export const watch = ({ attach }, host = globalThis) => {
  const tap = (sdk, name) => {
    if (!sdk?.[name]) return sdk;
    const value = async (...args) => adopt(await sdk[name](...args));
    return Object.create(sdk, { [name]: { value } }); // it may be frozen
  };
  const adopt = (sdk) => {
    attach(sdk);
    return tap(tap(sdk, "createLauncher"), "selectPlacements");
  };
  const trap = (owner, name, found) => {
    let value = found(owner[name]);
    const set = (sdk) => (value = found(sdk));
    Reflect.defineProperty(owner, name, { configurable: true, get: () => value, set });
  };
  trap(host, "Rokt", adopt);
  trap(host, "rokt", adopt);
  trap(host, "mParticle", (sdk) => (sdk && trap(sdk, "Rokt", adopt), sdk));
};

const script = globalThis.document?.querySelector("script[data-rokt-bff]");
export const bridge = script ? createBridge({ base: script.dataset.roktBff || undefined }) : null;
if (bridge) {
  const { guard } = script.dataset;
  watch(bridge);
  if (guard) for (const element of document.querySelectorAll(guard)) bridge.guard(element);
}
