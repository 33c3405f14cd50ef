/** Buys with one press after the payment, at the shop's own route: see bridge-purchase.d.ts. */

/** A reserve (6 s), the shop's charge and a confirm (8 s) have to fit in, twice over. */
const ANSWER_MS = 30000;
/** Waits before a purchase is sent again after a network failure: it is out of reach after that. */
const AGAIN_MS = [1000, 3000];
/** A keepalive body may have 64 KiB; this is in characters. */
const KEEPALIVE = 20000;

const isPassing = (status) => status >= 500 || status === 408 || status === 429;

/** The same things, however often they are told: what a purchase is under way for. */
export const pressKey = ({ upsellItems, totalUpsellPrice, currency }) => JSON.stringify(
  [upsellItems.map(({ cartItemId, quantity }) => [cartItemId, quantity]), totalUpsellPrice, currency],
);

export const createPurchases = (bridge, { url, host = globalThis }) => {
  const underWay = new Set(); // keys
  const unknown = new Map(); // key to the id of a purchase whose outcome nobody heard
  const heard = new WeakSet();
  const sleep = (ms) => new Promise((done) => host.setTimeout(done, ms));
  // randomUUID needs https, a blob's address does not.
  const uuid = () => host.crypto?.randomUUID?.() ?? URL.createObjectURL(new Blob()).slice(-36);

  /** One attempt: the server's JSON, or why there is none. */
  const attempt = async (body) => {
    const headers = { "Rokt-Bff": "1", "Content-Type": "application/json" };
    if (bridge.handle) headers.Authorization = `Bearer ${bridge.handle}`;
    try {
      const answer = await host.fetch(url, {
        method: "POST",
        headers,
        body,
        credentials: "same-origin",
        keepalive: body.length < KEEPALIVE,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const said = await answer.json().catch(() => null);
      if (typeof said?.success === "boolean") return { said };
      // A 2xx without its answer, or a server in trouble: nobody knows. Anything else is a no.
      return { reason: answer.ok || isPassing(answer.status) ? "network" : "refused" };
    } catch (error) {
      return { reason: error.name === "TimeoutError" ? "timeout" : "network" };
    }
  };

  const buy = async (asked) => {
    const key = pressKey(asked);
    const purchaseId = unknown.get(key) ?? uuid();
    unknown.set(key, purchaseId);
    const body = JSON.stringify({ purchaseId, ...asked });
    let result = await attempt(body);
    for (const ms of AGAIN_MS) {
      if (result.reason !== "network") break;
      await sleep(ms);
      result = await attempt(body);
    }
    // Until the outcome is known, another press is the same purchase: nobody pays twice.
    if (result.said || result.reason === "refused") unknown.delete(key);
    return result;
  };

  const press = async (selection, asked) => {
    const { totalUpsellPrice, currency } = asked ?? {};
    const upsellItems = Array.isArray(asked?.upsellItems) ? asked.upsellItems : [];
    const request = { upsellItems, totalUpsellPrice, currency };
    const key = upsellItems.length ? pressKey(request) : null;
    if (underWay.has(key)) return; // its answer is the answer to this press
    underWay.add(key);
    const { said, reason } = key ? await buy(request) : { reason: "refused" };
    underWay.delete(key);
    const response = { ...request, paid: false, success: false, ...said, ...(reason && { reason }) };
    try {
      await selection.send("CART_ITEM_INSTANT_PURCHASE_RESPONSE", response);
    } catch {} // the placement was closed meanwhile; the purchase stands
    bridge.dispatchEvent(new CustomEvent("purchase", { detail: response }));
  };

  const follow = (selection) => {
    if (heard.has(selection)) return;
    heard.add(selection);
    try {
      selection.on("CART_ITEM_INSTANT_PURCHASE").subscribe(({ body }) => press(selection, body));
    } catch {} // an SDK without it
  };
  bridge.addEventListener("selection", ({ detail }) => follow(detail));
  for (const selection of bridge.selections) follow(selection);
};

/** As the attribute `data-purchase` of the bridge's tag has it: an address. */
export const start = (bridge, url) => createPurchases(bridge, { url });
