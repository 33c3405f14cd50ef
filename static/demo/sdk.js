// @ts-check
/**
 * Rokt's Web SDK on a page of the shop: waits for its script, starts it, and sends its messages to
 * the timeline. The same code runs with the real SDK and with its stand-in.
 */

export const SDK_LIMIT_MS = 6000; // the extras are optional

/** @returns {Promise<any>} the SDK, once its script has run */
export const launcherScript = () => {
  const script = /** @type {HTMLElement} */ (document.getElementById("rokt-launcher"));
  const found = new Promise((resolve, reject) => {
    const done = () => resolve(/** @type {any} */ (window).Rokt);
    if ("Rokt" in window) done();
    script.addEventListener("load", done);
    script.addEventListener("error", () => reject(new Error("the SDK did not load")));
    setTimeout(() => reject(new Error("the SDK took too long")), SDK_LIMIT_MS);
  });
  found.catch(() => {}); // handled later: no unhandled rejection until then
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

/** Sends a message of the SDK to the timeline. @param {string} address */
export const reporter = (address) => (/** @type {any} */ { name, body }) =>
  fetch(address, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": document.body.dataset.csrf ?? "",
    },
    body: JSON.stringify({ ...body, name, at: Date.now() }),
    keepalive: true, // the last message may come while the page unloads
  }).catch(() => {}); // the sale does not need the panel

/** Wraps a selection, so that the bridge's messages to the placement are logged too.
 * @param {any} selection @param {(message: any) => unknown} log
 * @param {(cartItemId: string) => string | undefined} nameOf */
export const logged = (selection, log, nameOf) => ({
  context: selection.context,
  on: (/** @type {string} */ name) => selection.on(name),
  send: (/** @type {string} */ name, /** @type {any} */ data) => {
    log({ name, body: { ask: { ...data, name: nameOf(data?.cartItemId) } } });
    return selection.send(name, data);
  },
});

/** Calls back when the shopper closes the placement. The SDK sends no message about it.
 * @param {() => void} closed */
export const whenClosed = (closed) => {
  const placeholder = /** @type {HTMLElement} */ (document.getElementById("rokt-placeholder"));
  new MutationObserver(() => placeholder.childElementCount || closed()).observe(placeholder, {
    childList: true,
  });
};
