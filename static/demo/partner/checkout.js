// @ts-check
/**
 * The partner's checkout: offers, then what is held and what it costs, then an ordinary form.
 *
 * The bridge comes from the BFF's origin and keeps a handle instead of a cookie. Before payment
 * `bridge.reserve()` has stock and price locked at Rokt; handle and quote go into the form, and the
 * theatre's own server does the rest. Whatever fails here, seats can be booked.
 */
import { begin, isBusy, label, rest, restAll, within } from "./waiting.js";

const SDK_LIMIT_MS = 6000; // longer nobody waits for something that is optional
const SETTLE_LIMIT_MS = 3000;
const HOLD_LIMIT_MS = 12_000; // to reserve takes 6 s at most; the last change comes first

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
/** @type {any} what was reserved, while the shopper looks at it */
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
  find("told").append(message);
};

// ---- The summary -------------------------------------------------------------------------------

/** How much of a line the shopper can have, as Rokt's last answer stands. @param {any} item */
const have = (item) => item.available ?? item.quantity;

/** @param {any} item */
const price = (item) => item.lockedPrice ?? item.unitPrice;

/** @param {number | string} amount */
const cents = (amount) => Math.round(Number(amount) * 100);

/** What counts into the total: of a quote what was locked, before that what is held.
 * @returns {any[]} */
const counted = () => (quote ?? bridge?.cart)?.items.filter(have) ?? [];

/** @param {any[]} items */
const sum = (items) =>
  items.reduce((total, item) => total + cents(price(item)) * have(item), cents(seats)) / 100;

let drawn = "";

const draw = () => {
  const items = counted();
  const picture = JSON.stringify([!quote, items.map((one) => [one.cartItemId, have(one), price(one)])]);
  if (picture === drawn) return;
  const hadFocus = bill.contains(document.activeElement);
  for (const row of bill.querySelectorAll(".bill__extra")) row.remove();
  const last = bill.querySelector(".bill__total");
  for (const item of items) {
    const row = build("extra", {
      name: item.name,
      each: `${have(item)} × ${money(price(item))}`,
      what: ` ${item.name}`,
      total: money((cents(price(item)) * have(item)) / 100),
    });
    const button = /** @type {HTMLButtonElement} */ (row.querySelector("button"));
    // What an earlier visit left, today's placement does not show: it goes from here.
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
    const names = items.map((one) => `${have(one)} × ${one.name}`).join(", ") || "No extras";
    find("said").textContent = `${names}. Total ${total}.`;
  }
  drawn = picture;
};

let followed = -1;

/** Keeps one for every seat where an item asks for that: this shop has no Flask to do it for it.
 * @param {any} cart */
const follow = (cart) => {
  const count = Number(settings.count);
  if (followed === cart.version) return; // asked already; the server did not want it
  for (const line of cart.items) {
    if (!line.quantityMustBeSynchronized || line.quantity === count) continue;
    followed = cart.version;
    const unitPrice = Number(line.unitPrice);
    const item = { ...line, quantity: count, unitPrice, totalPrice: unitPrice * count };
    bridge.updateItemCallback(item, { cartItemId: line.cartItemId });
  }
};

// ---- From extras to payment --------------------------------------------------------------------

/** @param {"extras" | "pay"} phase @param {boolean} [moves] the shopper did it, so focus follows */
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

/** A dearer price waits for the shopper's word. @param {any} change */
const dearer = ({ cartItemId, from, to }) => {
  const line = bridge.cart?.items.find((/** @type {any} */ one) => one.cartItemId === cartItemId);
  if (!line || quote.items.some((/** @type {any} */ one) => one.cartItemId === cartItemId)) return;
  tell(
    `${line.name} now costs more`,
    `It was ${money(from)} and is now ${money(to)}${line.quantity > 1 ? " each" : ""}. It is not in your total unless you say so.`,
    [`Add it for ${money(Number(to) * line.quantity)}`, (button) => hold(button, { [cartItemId]: to })],
  );
};

/** Shows what is to be paid. @param {any} held the quote, or null: seats alone */
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

/** Has what is in the cart held at Rokt, then goes on.
 * @param {HTMLElement} pressed @param {Record<string, string>} [acceptPrices] dearer ones, agreed to */
async function hold(pressed, acceptPrices) {
  if (isBusy(pressed)) return;
  begin(pressed, "Holding your extras…");
  const isStored = await within(bridge.settled(), SETTLE_LIMIT_MS).then(() => true, () => false);
  const isEmpty = isStored && !bridge.cart.items.length;
  const held = isEmpty ? null : await within(bridge.reserve(acceptPrices && { acceptPrices }), HOLD_LIMIT_MS).catch(() => null);
  find("told").replaceChildren();
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

/** Seats alone, and why. */
const unavailable = () => {
  find("change").hidden = true;
  tell("Extras are not available just now", "Your seats are not affected.", ["Try again", () => location.reload()]);
  toPayment(null);
};

const back = () => {
  quote = null;
  for (const id of ["problem", "told"]) find(id).replaceChildren();
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

/** Draws the offers. Without any, what is held already can still be paid for. */
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
  const isBack = settings.start === "pay"; // the server did not take the last payment
  show("extras", false);
  proceed.addEventListener("click", () => (bridge ? hold(proceed) : toPayment(null)));
  find("change").addEventListener("click", back);
  find("pay").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    if (isBusy(charge)) event.preventDefault();
    else begin(charge, charge.dataset.busy);
  });
  addEventListener("pageshow", restAll);
  try {
    // The tag that `rokt-bff integrity` printed: imported from the same address, it is checked.
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
    follow(detail);
  });
  draw();
  if (isBack) await hold(proceed);
  else await offer();
};

start();
