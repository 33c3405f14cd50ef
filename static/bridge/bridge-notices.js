/** Tells the shopper what was taken back or refused, in a live region: see bridge-notices.d.ts. */

/** By why; `{name}` and the like stand for what is known of the item. */
export const TEXTS = Object.freeze({
  sold_out: "{name} is sold out. It is not in your order.",
  rejected: "{name} is not available. It is not in your order.",
  partly_reserved: "Only {available} of {quantity} × {name} are available.",
  price_changed: "{name} now costs {price} each. It is in your order only if you agree to that.",
  currency_changed: "{name} is now sold in another currency. It is not in your order.",
  refused: "That change could not be made.",
});

const money = (amount, currency, language) => {
  try {
    return new Intl.NumberFormat(language, { style: "currency", currency }).format(amount);
  } catch {
    return `${amount} ${currency}`; // the SDK's "$" is no currency that Intl knows
  }
};

/** The text for a code, filled in; a code without a text has `instead`. */
export const textFor = (code, item, texts, instead, language) => {
  const price = money(item?.lockedPrice ?? item?.unitPrice, item?.currency, language);
  const known = { ...item, price };
  return (texts[code] ?? instead).replace(/\{(\w+)\}/g, (hole, name) => known[name] ?? hole);
};

const alertId = (cartItemId) => `rokt-bff:${cartItemId}`;

export const showNotices = (bridge, element, { texts = {}, host = globalThis } = {}) => {
  const { document } = host;
  const all = { ...TEXTS, ...texts };
  const lines = new Map(); // cart item id, or "" for a refused change, to what is told of it
  let keepsRefused = false;

  // Before there is text in it: a region that comes with its text is not read out.
  element.setAttribute("role", "status");
  element.setAttribute("aria-live", "polite");
  element.setAttribute("aria-atomic", "false"); // only what is new, not all of it again

  // An extra: today's renderer does nothing with it, and a closed placement may refuse.
  const send = async (selection, name, data) => {
    try {
      await selection.send(name, data);
    } catch {}
  };
  const alert = (selection, cartItemId, text) => send(selection, "UPSERT_ALERT", {
    id: alertId(cartItemId),
    filter: { cartItemIds: [cartItemId] },
    message: { type: "warning", title: text, body: "" },
  });

  const forget = (id) => {
    lines.get(id)?.line.remove();
    if (!lines.delete(id) || !id) return;
    for (const selection of bridge.selections) send(selection, "DELETE_ALERT", { id: alertId(id) });
  };

  const tell = (id, text) => {
    const line = lines.get(id)?.line ?? document.createElement("p");
    line.textContent = text;
    element.append(line); // also moves it: the newest is last
    lines.set(id, { line, text });
    if (id) for (const selection of bridge.selections) alert(selection, id, text);
  };

  const language = document.documentElement?.lang || undefined;
  const hear = ({ detail, item }) => {
    const code = item?.reason ?? "refused";
    keepsRefused ||= !item;
    tell(item?.cartItemId ?? "", textFor(code, item, all, detail, language));
  };
  const withdrawn = (cart) => (cart?.items ?? []).filter(({ reason }) => reason);

  const follow = (selection) => {
    try {
      selection.on("PLACEMENT_INTERACTIVE").subscribe(() => {
        for (const [id, { text }] of lines) if (id) alert(selection, id, text);
      });
    } catch {}
  };

  bridge.addEventListener("notice", hear);
  bridge.addEventListener("change", ({ detail }) => {
    const told = new Set(withdrawn(detail).map(({ cartItemId }) => cartItemId));
    for (const id of [...lines.keys()]) if (id && !told.has(id)) forget(id);
    // The cart is read anew after a refusal: what was said of it outlives that reading.
    if (!keepsRefused) forget("");
    keepsRefused = false;
  });
  bridge.addEventListener("selection", ({ detail }) => follow(detail));
  for (const selection of bridge.selections) follow(selection);
  for (const item of withdrawn(bridge.cart)) hear({ detail: `${item.name}: ${item.reason}`, item });
};

/** As the attribute `data-notices` of the bridge's tag has it: a selector. */
export const start = (bridge, selector, options = {}) => {
  const element = (options.host ?? globalThis).document.querySelector(selector);
  if (!element) throw new Error(`data-notices: nothing on this page matches ${selector}`);
  showNotices(bridge, element, options);
};
