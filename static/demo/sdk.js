// @ts-check
/**
 * Rokt's Web SDK on a page of the shop: waits for its script, starts it, and tells the timeline what
 * is said. The same code runs with the real SDK and with its stand-in.
 */

export const SDK_LIMIT_MS = 6000; // a shopper waits no longer for something that is optional

/** @returns {Promise<any>} the SDK, once its script has run; listen from the start */
export const launcherScript = () => {
  const script = /** @type {HTMLElement} */ (document.getElementById("rokt-launcher"));
  const found = new Promise((resolve, reject) => {
    const done = () => resolve(/** @type {any} */ (window).Rokt);
    if ("Rokt" in window) done();
    script.addEventListener("load", done);
    script.addEventListener("error", () => reject(new Error("the SDK did not load")));
    setTimeout(() => reject(new Error("the SDK took too long")), SDK_LIMIT_MS);
  });
  found.catch(() => {}); // looked at later, and its failure comes only once
  return found;
};

/** @param {any} rokt @param {DOMStringMap} settings @param {string} identifier */
export const select = async (rokt, settings, identifier) => {
  const launcher = await rokt.createLauncher({
    accountId: settings.accountId || "stand-in",
    sandbox: settings.sandbox === "true",
  });
  return launcher.selectPlacements({ identifier, attributes: { locale: "en-US", country: "US" } });
};

/** Tells the timeline what the SDK said; only the page hears it. @param {string} address */
export const teller = (address) => (/** @type {any} */ { name, body }) =>
  fetch(address, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": document.body.dataset.csrf ?? "",
    },
    body: JSON.stringify({ ...body, name, at: Date.now() }),
    keepalive: true, // the last message may come when the shopper is leaving
  }).catch(() => {}); // the panel is no part of the sale

/** A selection that tells the timeline what the bridge says to the placement, on its way there.
 * @param {any} selection @param {(told: any) => unknown} log
 * @param {(cartItemId: string) => string | undefined} nameOf */
export const overheard = (selection, log, nameOf) => ({
  context: selection.context,
  on: (/** @type {string} */ name) => selection.on(name),
  send: (/** @type {string} */ name, /** @type {any} */ data) => {
    log({ name, body: { ask: { ...data, name: nameOf(data?.cartItemId) } } });
    return selection.send(name, data);
  },
});

/** Calls back when the shopper takes the drawn placement away, which tells the page nothing.
 * @param {() => void} gone */
export const whenClosed = (gone) => {
  const placeholder = /** @type {HTMLElement} */ (document.getElementById("rokt-placeholder"));
  new MutationObserver(() => placeholder.childElementCount || gone()).observe(placeholder, {
    childList: true,
  });
};
