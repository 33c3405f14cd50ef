/** See bridge.d.ts. */
const PATIENCE_MS = 20000;

export const itemId = ({ updatedItem, oldItem }) => (updatedItem ?? oldItem)?.cartItemId;

export const isPassing = (status) => /^(0|408|429|5..)$/.test(status);

export const backoff = (failures, random = Math.random()) =>
  Math.min(PATIENCE_MS, 250 * 2 ** failures) * (1 - random / 2);

export const coalesce = (queue, update, flying) => {
  const slot = (one) => one.page + one.preselected + itemId(one);
  const rekeys = (one) => (one.oldItem ?? one.updatedItem).cartItemId !== itemId(one);
  const kept = (one) => one === flying || rekeys(one) || slot(one) !== slot(update);
  return [...queue.filter(kept), update];
};

export const idHere = (line, cart, shown) => {
  const isNamed = (id) => shown.get(id)?.catalogItemId === line.catalogItemId;
  const isFree = (id) => isNamed(id) && !cart.items.some((one) => one.cartItemId === id);
  return (!isNamed(line.cartItemId) && [...shown.keys()].find(isFree)) || line.cartItemId;
};

const have = (line) => line.available ?? line.quantity;

export const differences = (cart, shown) => {
  const wanted = new Map();
  for (const [id, { catalogItemId }] of shown) if (catalogItemId) wanted.set(id, 0);
  for (const line of cart.items) wanted.set(idHere(line, cart, shown), have(line));
  const expected = (id) => shown.get(id)?.asks?.at(-1) ?? shown.get(id)?.quantity;
  return [...wanted].filter(([id, quantity]) => expected(id) !== quantity)
    .map(([cartItemId, quantity]) => ({ cartItemId, quantity }));
};

export const createBridge = ({ base = "", handle = "", host = globalThis } = {}) => {
  base ||= import.meta.url.replace(/\/static\/.*/, "");
  const root = new URL(base, host.location.href).href.replace(/\/$/, "");
  const bearer = handle || new URL(root).origin !== host.location.origin;
  const key = `rokt-bff:${root}`;
  const uuid = () => URL.createObjectURL(new Blob()).slice(-36); // randomUUID needs https
  const tabs = host.BroadcastChannel && new host.BroadcastChannel(key);
  const selections = new Set();
  const drawing = new Set();
  const shown = new Map();
  let page = uuid(), seq = 0, cart = null, roktSessionId, legacy, running, flying, wake;
  let failures = 0, stale = 1;

  const store = (area, value) => {
    try {
      if (value === undefined) return JSON.parse(host[area][key]);
      host[area][key] = JSON.stringify(value);
    } catch {}
    return value;
  };
  const getHandle = () => (bearer && (store("localStorage") ?? handle)) || null;
  const isKnown = () => (bearer ? getHandle() : cart?.cartId);
  const setHandle = (value) => (handle = store("localStorage", value));
  const setQueue = (value) => (queue = store("sessionStorage", value));
  let queue = store("sessionStorage") ?? [];
  if (handle) setHandle(handle);

  const emit = (name, detail, item) =>
    bridge.dispatchEvent(Object.assign(new CustomEvent(name, { detail }), { item }));
  const step = () => new Promise((done) => bridge.addEventListener("step", done, { once: true }));
  const sleep = (ms) => new Promise((done) => host.setTimeout(done, ms));
  const quietly = (use) => new Promise((done) => done(use())).catch(() => {});

  const call = async (path, content) => {
    const body = content && JSON.stringify(content);
    const headers = { "Rokt-Bff": "1", "Content-Type": "application/json" };
    if (getHandle()) headers.Authorization = `Bearer ${getHandle()}`;
    const answer = await quietly(() => host.fetch(root + path, {
      method: body && "POST",
      headers,
      body,
      keepalive: body?.length < 20000,
      signal: AbortSignal.timeout(PATIENCE_MS),
    }));
    const data = await quietly(() => answer.json());
    const { ok, status = 0 } = answer ?? {};
    const wait = answer?.headers.get("Retry-After") * 1000;
    return { ok, status: ok && !data ? 0 : status, data, wait };
  };

  const next = async () => {
    const token = getHandle();
    const isNew = bearer && !token;
    const wishes = stale;
    let answer = await { ok: 1, data: { cartId: null, version: 0, items: [], totals: {}, removed: [] } };
    if (isNew && queue.length) {
      answer = await call("/session", {});
      if (answer.ok) setHandle(getHandle() ?? answer.data.handle);
    }
    const update = (flying = queue[0]);
    if (answer.ok && (update || !isNew)) {
      answer = await call(update ? "/cart/updates" : "/cart", update);
    }
    flying = null;
    const { ok, status, data, wait } = answer;
    const lapsed = status === 401 && token;
    if (lapsed && getHandle() === token) setHandle(null);
    failures = lapsed || isPassing(status) ? failures + 1 : 0;
    if (failures) return wait;
    stale -= wishes;
    setQueue(queue.filter((one) => one !== update));
    if (ok) {
      const last = JSON.stringify(cart);
      emit("change", (cart = data));
      if (update) tabs?.postMessage(cart.version);
      for (const item of cart.items) {
        if (item.reason && !last.includes(JSON.stringify(item))) {
          emit("notice", `${item.name}: ${item.reason.replace("_", " ")}`, item);
        }
      }
    } else emit("refused", data ?? { status, title: "Refused" });
    if (ok || !update) return;
    stale++;
    emit("notice", "That change was refused.");
  };

  const run = async () => {
    if (running) return;
    running = true;
    while (queue.length || stale) {
      // Two tabs, one session.
      const locks = queue.length && !isKnown() && host.navigator?.locks;
      const wait = await (locks ? locks.request(key, next).catch(next) : next());
      emit("step");
      if (failures) {
        const woken = new Promise((done) => (wake = done));
        await Promise.race([woken, sleep(Math.min(PATIENCE_MS, wait || backoff(failures)))]);
      }
    }
    running = false;
    show();
  };

  const show = () => {
    if (running || !cart || drawing.size || !(legacy || selections.size)) return;
    const asks = differences(cart, shown);
    for (const ask of asks) {
      const { cartItemId, quantity } = ask;
      const last = shown.get(cartItemId);
      const waiting = (!legacy && last?.asks) || [];
      shown.set(cartItemId, { ...last, asks: [...waiting, quantity], at: host.Date.now() });
      for (const sdk of selections) quietly(() => sdk.send("V2_UPDATE_CART_ITEM", ask));
    }
    if (legacy && asks.length) quietly(() => legacy.setItems(cart.items.map((line) => ({
      ...line,
      cartItemId: idHere(line, cart, shown),
      quantity: have(line),
      unitPrice: +line.unitPrice,
      totalPrice: line.unitPrice * have(line),
    }))));
  };

  const receive = (by, early, updatedItem, oldItem) => {
    const id = itemId({ updatedItem, oldItem });
    const quantity = updatedItem?.quantity ?? 0;
    const last = shown.get(id) ?? shown.get(oldItem?.cartItemId) ?? {};
    if (!id) return;
    if (by !== updateItemCallback || legacy) {
      const isOther = last.by !== by || (oldItem?.cartItemId ?? id) !== id;
      const isTwin = isOther && last.quantity === quantity;
      const isNotHere = !last.catalogItemId && !quantity && !oldItem;
      if (isTwin || isNotHere) return;
      const catalogItemId = updatedItem?.catalogItemId || last.catalogItemId;
      const echo = last.at > host.Date.now() - PATIENCE_MS && last.asks.indexOf(quantity) + 1;
      shown.set(id, { ...last, quantity, catalogItemId, by, asks: echo ? last.asks.slice(echo) : [] });
      if (echo) return;
    }
    const preselected = (early && !oldItem) || undefined;
    const isNew = updatedItem || queue.some((one) => itemId(one) === id);
    const line = !isNew && cart?.items.find((one) => idHere(one, cart, shown) === id);
    setQueue(coalesce(queue, {
      page, seq: ++seq, preselected, updatedItem, roktSessionId,
      oldItem: line ? { ...oldItem, cartItemId: line.cartItemId } : oldItem,
    }, flying));
    run();
  };

  const updateItemCallback = (...what) => receive(updateItemCallback, drawing.size, ...what);

  const attach = (sdk) => {
    if (sdk?.cart?.onUpdateItem && sdk.cart !== legacy) {
      legacy = sdk.cart;
      quietly(() => legacy.onUpdateItem(updateItemCallback));
    }
    if (sdk?.on && !selections.has(sdk)) {
      let early = true;
      selections.add(sdk);
      drawing.add(sdk);
      const on = (name, hear) => quietly(() => sdk.on(name).subscribe(hear));
      for (const name of ["V2_CART_ITEM_UPDATED", "UPDATE_CART_ITEM_MESSAGE"]) {
        const by = { sdk };
        on(name, ({ body }) => receive(by, early, body?.cartItem, body?.oldCartItem));
      }
      on("PLACEMENT_INTERACTIVE", () => {
        early = false;
        drawing.delete(sdk);
        for (const [id, { by }] of shown) if (!selections.has(by?.sdk)) shown.delete(id);
        show();
      });
      on("PLACEMENT_CLOSED", () => {
        selections.delete(sdk);
        drawing.delete(sdk);
        page = uuid(); // what comes next has other ids
      });
      sleep(PATIENCE_MS).then(() => drawing.delete(sdk) && show());
      quietly(async () => (roktSessionId = await sdk.context.sessionId));
      emit("selection", sdk);
    }
    show();
    return sdk;
  };

  const settled = async () => {
    await sleep(0); // for the last click
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

  const reserve = async (body = {}) => {
    await Promise.race([settled(), sleep(3000)]);
    const { ok, data } = queue.length ? {} : await call("/cart/reserve", body);
    await refresh();
    return (ok && data) || null;
  };

  host.addEventListener("online", () => wake?.());
  host.addEventListener("visibilitychange", () => host.document.hidden || refresh());
  host.addEventListener("pagehide", () => {
    for (const one of queue) if (isKnown() && one !== flying) call("/cart/updates", one);
  });
  tabs?.addEventListener("message", ({ data }) => data === cart?.version || refresh());

  const use = async (name, ...what) =>
    (await import(`./bridge-${name}.js`)).start(bridge, ...what);
  const guard = (...what) => use("guard", ...what);
  const bridge = Object.defineProperties(Object.assign(new EventTarget(), {
    attach, guard, refresh, reserve, selections, settled, updateItemCallback, use,
  }), { cart: { get: () => cart }, handle: { get: getHandle } });
  run();
  return bridge;
};

export const watch = ({ attach }, host = globalThis) => {
  const trap = (owner, name, found) => {
    let value = found(owner[name]);
    const set = (given) => (value = found(given));
    Reflect.defineProperty(owner, name, { configurable: true, get: () => value, set });
  };
  const calls = (found) => (method) => method && async function (...what) {
    return found(await method.apply(this, what));
  };
  const follow = (sdk) => {
    if (!sdk) return sdk;
    const get = (own, name) => own[name] ?? sdk[name]?.bind?.(sdk) ?? sdk[name];
    const open = Object.isExtensible(sdk) ? sdk : new Proxy(Object.create(null), { get });
    trap(open, "createLauncher", calls(follow));
    trap(open, "selectPlacements", calls(attach));
    trap(open, "cart", (cart) => attach({ cart }).cart);
    trap(open, "Rokt", follow);
    return open;
  };
  trap(host, "Rokt", follow);
  trap(host, "rokt", follow);
  trap(host, "mParticle", follow);
};

const script = globalThis.document?.querySelector("script[data-rokt-bff]");
export const bridge = script ? createBridge({ base: script.dataset.roktBff }) : null;
if (bridge) {
  watch(bridge);
  for (const name of ["guard", "notices", "purchase"]) {
    if (script.dataset[name]) bridge.use(name, script.dataset[name]);
  }
}
