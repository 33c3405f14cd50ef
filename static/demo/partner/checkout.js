// @ts-check
/**
 * The partner's checkout: first the offers, then the locked prices beside an ordinary form.
 *
 * The bridge comes from the BFF's origin and keeps a handle instead of a cookie. Before payment,
 * `bridge.reserve()` locks stock and prices at Rokt. Handle and quote id go into the form, and the
 * theater's own server does the rest. If this script fails, seats can still be booked.
 */
import { begin, isBusy, label, rest, restAll, within } from "./waiting.js";

const SDK_LIMIT_MS = 6000; // the extras are optional
const SETTLE_LIMIT_MS = 3000;
const HOLD_LIMIT_MS = 12_000; // a reserve takes 6 s at most, after the last change

/** @param {string} id @returns {any} */
const find = (id) => document.getElementById(id);

const root = document.documentElement;
const { dataset: settings } = find("checkout");
const bill = find("bill");
const proceed = find("continue");
const charge = find("charge");
const placeholder = find("rokt-placeholder");
const seats = Number(settings.seats);

/** @type {any} */
let bridge = null;
/** @type {any} the quote that the shopper sees, or null */
let quote = null;

// ---- Small helpers -----------------------------------------------------------------------------

/** @param {number | string} amount */
const money = (amount) =>
  new Intl.NumberFormat("en-US", { style: "currency", currency: settings.currency }).format(Number(amount));

/** @param {string} id @param {Record<string, string>} texts @returns {HTMLElement} */
const build = (id, texts) => {
  const made = find(id).content.cloneNode(true).firstElementChild;
  for (const [part, text] of Object.entries(texts)) {
    made.querySelector(`[data-part="${part}"]`).textContent = text;
  }
  return made;
};

/** @param {string} title @param {string} text
 * @param {[string, (button: HTMLElement) => void]} [action] its label, and what it does */
const tell = (title, text, action) => {
  const message = build("message", { title, text });
  const button = /** @type {HTMLButtonElement} */ (message.querySelector("button"));
  if (action) {
    button.hidden = false;
    button.textContent = action[0];
    button.addEventListener("click", () => action[1](button));
  }
  find("messages").append(message);
};

// ---- The summary -------------------------------------------------------------------------------

/** The available quantity of a line by Rokt's last response. @param {any} item */
const available = (item) => item.available ?? item.quantity;

/** @param {any} item */
const price = (item) => item.lockedPrice ?? item.unitPrice;

/** @param {number | string} amount */
const cents = (amount) => Math.round(Number(amount) * 100);

/** The items in the total: those of the quote, or those that are held before there is one.
 * @returns {any[]} */
const counted = () => (quote ?? bridge?.cart)?.items.filter(available) ?? [];

/** @param {any[]} items */
const sum = (items) =>
  items.reduce((total, item) => total + cents(price(item)) * available(item), cents(seats)) / 100;

let drawn = "";

const draw = () => {
  const items = counted();
  const picture = JSON.stringify([!quote, items.map((one) => [one.cartItemId, available(one), price(one)])]);
  if (picture === drawn) return;
  const hadFocus = bill.contains(document.activeElement);
  for (const row of bill.querySelectorAll(".bill__extra")) row.remove();
  const last = bill.querySelector(".bill__total");
  for (const item of items) {
    const row = build("extra", {
      name: item.name,
      each: `${available(item)} × ${money(price(item))}`,
      what: ` ${item.name}`,
      total: money((cents(price(item)) * available(item)) / 100),
    });
    const button = /** @type {HTMLButtonElement} */ (row.querySelector("button"));
    // The placement does not show items of an earlier visit, so they are removed here.
    button.hidden = Boolean(quote);
    button.addEventListener("click", () =>
      bridge.updateItemCallback(null, { cartItemId: item.cartItemId, quantity: 0 }),
    );
    last.before(row);
  }
  if (hadFocus) (bill.querySelector("button:not([hidden])") ?? proceed).focus();
  const total = money(sum(items));
  find("total").textContent = total;
  label(proceed, items.length ? "Hold extras and continue" : "Continue without extras");
  label(charge, `Pay ${total}`);
  if (drawn) {
    const names = items.map((one) => `${available(one)} × ${one.name}`).join(", ") || "No extras";
    find("said").textContent = `${names}. Total ${total}.`;
  }
  drawn = picture;
};

let synced = -1;

/** Sets a linked item to the number of seats. A Flask shop does this with sync_products().
 * @param {any} cart */
const sync = (cart) => {
  const count = Number(settings.count);
  if (synced === cart.version) return; // the server refused this change before
  for (const line of cart.items) {
    if (!line.quantityMustBeSynchronized || line.quantity === count) continue;
    synced = cart.version;
    const unitPrice = Number(line.unitPrice);
    const item = { ...line, quantity: count, unitPrice, totalPrice: unitPrice * count };
    bridge.updateItemCallback(item, { cartItemId: line.cartItemId });
  }
};

// ---- From extras to payment --------------------------------------------------------------------

/** @param {"extras" | "pay"} phase @param {boolean} [moves] whether to move the focus to the heading */
const show = (phase, moves = true) => {
  root.dataset.phase = phase;
  draw();
  if (moves) {
    find(`${phase}-title`).focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }
};

/** @param {any} one */
const refused = ({ name, quantity, reason }) => {
  if (reason === "partly_reserved") {
    tell(`Not enough left of ${name}`, `${quantity} fewer than you asked for could be held. You pay for what you get.`);
  } else if (reason === "unreachable" || reason === "busy") {
    tell(`${name} could not be held just now`, "It is not in your total. Your seats are not affected.", ["Try again", hold]);
  } else if (reason === "sold_out") {
    tell(`${name} has just sold out`, "It is not in your total. Your seats are not affected.");
  } else {
    tell(`${name} is not available any more`, "It is not in your total. Your seats are not affected.");
  }
};

/** Asks the shopper about a higher price. @param {any} change */
const dearer = ({ cartItemId, from, to }) => {
  const line = bridge.cart?.items.find((/** @type {any} */ one) => one.cartItemId === cartItemId);
  if (!line || quote.items.some((/** @type {any} */ one) => one.cartItemId === cartItemId)) return;
  tell(
    `${line.name} now costs more`,
    `It was ${money(from)} and is now ${money(to)}${line.quantity > 1 ? " each" : ""}. It is not in your total unless you say so.`,
    [`Add it for ${money(Number(to) * line.quantity)}`, (button) => hold(button, { [cartItemId]: to })],
  );
};

/** Shows the payment. @param {any} held the quote, or null for seats alone */
const toPayment = (held) => {
  const isOurs = held && Object.keys(held.totals).every((currency) => currency === settings.currency);
  quote = isOurs ? held : { items: [], rejected: [], priceChanges: [] };
  const hasExtras = quote.items.length > 0;
  find("handle").value = hasExtras ? bridge.handle : "";
  find("quote-id").value = hasExtras ? quote.quoteId : "";
  find("shown").value = sum(quote.items).toFixed(2);
  quote.rejected.forEach(refused);
  quote.priceChanges.forEach(dearer);
  const until = find("until");
  until.hidden = !hasExtras;
  const at = new Date(quote.expiresAt).toLocaleTimeString("en-US", { hour: "numeric", minute: "2-digit" });
  if (hasExtras) until.textContent = `Your extras are held for you until ${at}, at this price.`;
  show("pay");
};

/** Reserves the cart at Rokt, then shows the payment.
 * @param {HTMLElement} pressed @param {Record<string, string>} [acceptPrices] higher prices that the shopper accepted */
async function hold(pressed, acceptPrices) {
  if (isBusy(pressed)) return;
  begin(pressed, "Holding your extras…");
  const isStored = await within(bridge.settled(), SETTLE_LIMIT_MS).then(() => true, () => false);
  const isEmpty = isStored && !bridge.cart.items.length;
  const held = isEmpty ? null : await within(bridge.reserve(acceptPrices && { acceptPrices }), HOLD_LIMIT_MS).catch(() => null);
  find("messages").replaceChildren();
  if (!held && !isEmpty) {
    tell(
      "Your extras could not be held just now",
      "They are not in your total. You can try again, or pay for your seats alone.",
      ["Try again", hold],
    );
  }
  rest(pressed);
  toPayment(held);
}

/** Continues with seats alone, and shows why. */
const unavailable = () => {
  find("change").hidden = true;
  tell("Extras are not available just now", "Your seats are not affected.", ["Try again", () => location.reload()]);
  toPayment(null);
};

const back = () => {
  quote = null;
  for (const id of ["problem", "messages"]) find(id).replaceChildren();
  find("until").hidden = true;
  show("extras");
  if (!placeholder.childElementCount) offer();
};

// ---- The SDK -----------------------------------------------------------------------------------

/** @returns {Promise<any>} the SDK, once its script has run */
const sdk = () =>
  new Promise((resolve, reject) => {
    const script = find("rokt-launcher");
    const done = () => resolve(/** @type {any} */ (window).Rokt);
    if ("Rokt" in window) done();
    script.addEventListener("load", done);
    script.addEventListener("error", reject);
  });

const select = async () => {
  const rokt = await sdk();
  const launcher = await rokt.createLauncher({
    accountId: settings.accountId || "stand-in",
    sandbox: settings.sandbox === "true",
  });
  const selection = await launcher.selectPlacements({
    identifier: "checkout.upsell",
    attributes: { locale: "en-US", country: "US" },
  });
  bridge.attach(selection);
  await new Promise((resolve, reject) => {
    selection.on("PLACEMENT_INTERACTIVE").subscribe(resolve);
    selection.on("PLACEMENT_FAILURE").subscribe(reject);
    selection.getPlacements().then((/** @type {any[]} */ found) => found.length || reject());
  });
};

/** Draws the offers. If there are none, held extras can still be paid for. */
const offer = async () => {
  find("waiting").hidden = false;
  try {
    await within(select(), SDK_LIMIT_MS);
  } catch {
    if (root.dataset.phase === "extras") find("none").hidden = false;
  }
  find("waiting").hidden = true;
};

// ---- Start -------------------------------------------------------------------------------------

const start = async () => {
  const isBack = settings.start === "pay"; // the server refused the last payment
  show("extras", false);
  proceed.addEventListener("click", () => (bridge ? hold(proceed) : toPayment(null)));
  find("change").addEventListener("click", back);
  find("pay").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    if (isBusy(charge)) event.preventDefault();
    else begin(charge, charge.dataset.busy);
  });
  addEventListener("pageshow", restAll);
  try {
    // The browser checks the integrity of an import from the address of this preload tag.
    const link = /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=modulepreload]"));
    const { createBridge } = await within(import(link.href), SDK_LIMIT_MS);
    bridge = createBridge();
    await within(bridge.refresh(), SDK_LIMIT_MS);
    if (!bridge.cart) throw new Error("the BFF does not answer");
    bridge.use("notices", "#notices");
  } catch {
    if (root.dataset.phase === "extras") unavailable();
    return;
  }
  bridge.addEventListener("change", (/** @type {CustomEvent} */ { detail }) => {
    if (!quote) draw();
    sync(detail);
  });
  draw();
  if (isBack) await hold(proceed);
  else await offer();
};

start();
