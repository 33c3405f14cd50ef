// @ts-check
/**
 * The extras page: connects Rokt's Web SDK with the BFF's bridge, and shows in the order summary what
 * the BFF holds. The same code runs with the real SDK and with its stand-in.
 *
 * If this script fails, the shopper can still go to payment: the button is an ordinary link.
 */
import { SDK_LIMIT_MS, launcherScript, logged, reporter, select, whenClosed } from "./sdk.js";
import { begin, label } from "./waiting.js";

const LAST_CHANGE_MS = 3000; // how long "continue" waits for the last change to be stored

const CHANGES = ["V2_CART_ITEM_UPDATED", "UPDATE_CART_ITEM_MESSAGE"];
const MESSAGES = [
  ...CHANGES,
  "PLACEMENT_INTERACTIVE",
  "PLACEMENT_FAILURE",
  "PLACEMENT_CLOSED",
  "PLACEMENT_COMPLETED",
  "OFFER_ENGAGEMENT",
  "POSITIVE_ENGAGEMENT",
];

/** @param {string} id @returns {HTMLElement} */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const extras = find("extras");
const bill = find("bill");
const said = find("said");
const notices = find("notices");
const proceed = find("continue");
const settings = extras.dataset;
const csrf = document.body.dataset.csrf ?? "";

// ---- What the page shows -----------------------------------------------------------------------

let state = "waiting";

/** @param {"waiting" | "shown" | "failed" | "closed"} next */
const show = (next) => {
  state = next;
  for (const name of ["waiting", "failed", "closed"]) find(name).hidden = name !== state;
  find("lead").hidden = state === "failed";
  find("already-about").hidden = state !== "shown";
  extras.setAttribute("aria-busy", String(state === "waiting"));
};

/** The shopper closed the placement, so its focus moves to the message in its place. */
const close = () => {
  if (state !== "shown") return;
  show("closed");
  if (document.activeElement === document.body) find("closed-title").focus();
};

/** @param {number | string} amount @param {string} [currency] */
const money = (amount, currency = bill.dataset.currency) =>
  new Intl.NumberFormat("en-US", { style: "currency", currency }).format(Number(amount));

/** @param {string} text */
const notice = (text) => {
  const line = document.createElement("p");
  line.textContent = text;
  notices.replaceChildren(line);
};

/** @param {any} item @param {string} detail */
const about = ({ name, reason }, detail) =>
  reason === "sold_out"
    ? `${name} was sold out when we last asked, so it is not in your order.`
    : `${detail}.`;

/** @type {Set<string>} catalogItemIds that this visit's placement has named */
const known = new Set();

/** @type {Map<string, string>} the names of its items, by cartItemId */
const nameOf = new Map();

/** Shows the items of an earlier visit. The placement of this visit shows 0 of them.
 * @param {any[]} items */
const remind = (items) => {
  const left = items.filter((item) => !known.has(item.catalogItemId));
  find("already-names").textContent = names(left);
  find("already").hidden = left.length === 0;
};

/** The quantity and unit price of an item by Rokt's last response.
 * @param {any} item */
const available = ({ available: left, quantity, lockedPrice, unitPrice }) =>
  [left ?? quantity, Number(lockedPrice ?? unitPrice)];

/** @param {any[]} items */
const names = (items) => items.map((item) => `${available(item)[0]} × ${item.name}`).join(", ");

/** The text while "continue" waits. @param {any[]} items */
const waitingFor = (items) => {
  if (items.length === 0) return "One moment…";
  const [{ name }] = items;
  const one = name.charAt(0).toLowerCase() + name.slice(1);
  return `Holding your ${items.length === 1 ? one : "extras"}…`;
};

/** Keeps the focus in the summary when its row was redrawn or removed.
 * @param {string | undefined} id @param {number} place */
const refocus = (id, place) => {
  const buttons = [...bill.querySelectorAll("button")];
  const same = buttons.find((button) => button.dataset.item === id);
  (same ?? buttons[Math.min(place, buttons.length - 1)] ?? proceed).focus();
};

let drawn = "";

/** Updates the order summary from the cart. @param {any} bridge @param {any} cart */
const draw = (bridge, cart) => {
  const items = cart.items.filter((/** @type {any} */ item) => item.available !== 0);
  remind(items);
  const picture = JSON.stringify(items.map((/** @type {any} */ i) => [i.name, available(i)]));
  if (picture === drawn) return;
  const isFirst = drawn === "";
  drawn = picture;
  const template = /** @type {HTMLTemplateElement} */ (find("bill-line"));
  const total = /** @type {HTMLElement} */ (bill.querySelector(".bill__total"));
  const rows = [...bill.querySelectorAll(".bill__extra")];
  const focused = rows.findIndex((row) => row.contains(document.activeElement));
  const focusedItem = rows[focused]?.querySelector("button")?.dataset.item;
  const before = new Set();
  for (const row of rows) {
    before.add(row.textContent);
    row.remove();
  }
  for (const item of items) {
    const row = /** @type {HTMLElement} */ (
      /** @type {DocumentFragment} */ (template.content.cloneNode(true)).firstElementChild
    );
    const [quantity, price] = available(item);
    const texts = {
      name: item.name,
      each: `${quantity} × ${money(price, item.currency)}`,
      what: ` ${item.name}`,
      total: money(quantity * price, item.currency),
    };
    for (const [part, text] of Object.entries(texts)) {
      /** @type {HTMLElement} */ (row.querySelector(`[data-part=${part}]`)).textContent = text;
    }
    // The placement does not show items of an earlier visit, so they are removed here.
    const button = /** @type {HTMLButtonElement} */ (row.querySelector("button"));
    button.dataset.item = item.cartItemId;
    button.addEventListener("click", () =>
      bridge.updateItemCallback(null, { cartItemId: item.cartItemId, quantity: 0 }),
    );
    if (!isFirst && !before.has(row.textContent)) row.classList.add("bill__new");
    total.before(row);
  }
  const sum = Number(bill.dataset.tickets) + Number(cart.totals[bill.dataset.currency ?? ""] ?? 0);
  /** @type {HTMLElement} */ (total.lastElementChild).textContent = money(sum);
  label(proceed, items.length ? "Continue to payment" : "Continue without extras");
  proceed.dataset.busy = waitingFor(items);
  if (focused >= 0) refocus(focusedItem, focused);
  if (isFirst) return;
  notices.replaceChildren();
  said.textContent = `${names(items) || "No extras"} in your order. Total ${money(sum)}.`;
};

// ---- Requests to the shop --------------------------------------------------------------

const log = reporter(settings.sdkLog ?? "");

/** Stores which items the placement shows. @param {any} event */
const know = ({ body }) => {
  const { cartItemId, catalogItemId, name } = body?.cartItem ?? {};
  if (!catalogItemId) return;
  known.add(catalogItemId);
  nameOf.set(cartItemId, name);
};

let synced = -1;

/** Makes the shop sync a linked item that does not have the number of the tickets.
 * @param {any} bridge @param {any} cart */
const sync = async (bridge, cart) => {
  const isDifferent = cart.items.some(
    (/** @type {any} */ item) =>
      item.quantityMustBeSynchronized && item.quantity !== Number(settings.count),
  );
  if (!isDifferent || synced === cart.version) return;
  synced = cart.version;
  const response = await fetch(settings.follow ?? "", {
    method: "POST",
    headers: { "X-CSRFToken": csrf },
  }).catch(() => null); // payment syncs it, too
  if (response?.ok) await bridge.refresh();
};

// ---- The SDK -----------------------------------------------------------------------------------

const start = async () => {
  show("waiting");
  const script = launcherScript();
  const { createBridge } = await import(settings.bridge ?? "");
  const bridge = createBridge();
  bridge.addEventListener("change", (/** @type {CustomEvent} */ { detail }) => {
    draw(bridge, detail);
    sync(bridge, detail);
  });
  // Comes for an item that is not available as held, or for a change that the server refused.
  // `refused` would also come for a cart that could not be read.
  bridge.addEventListener("notice", (/** @type {any} */ { detail, item }) =>
    notice(
      item ? about(item, detail) : "That change could not be made. Your order is as shown in the summary.",
    ),
  );
  // Registered before the guard, which stops a click until the last change is stored.
  proceed.addEventListener("click", (event) => event.ctrlKey || event.metaKey || begin(proceed), true);
  for (const leaving of [proceed, find("again")]) bridge.guard(leaving, LAST_CHANGE_MS);

  const selection = await select(await script, settings, "checkout.upsell");
  const name = (/** @type {string} */ id) =>
    bridge.cart?.items.find((/** @type {any} */ item) => item.cartItemId === id)?.name ?? nameOf.get(id);
  bridge.attach(logged(selection, log, name));
  for (const name of MESSAGES) selection.on(name).subscribe(log);
  for (const name of CHANGES) selection.on(name).subscribe(know);
  selection.on("PLACEMENT_CLOSED").subscribe(close);
  const isDrawn = new Promise((resolve, reject) => {
    selection.on("PLACEMENT_INTERACTIVE").subscribe(resolve);
    selection.on("PLACEMENT_FAILURE").subscribe(reject);
    setTimeout(reject, SDK_LIMIT_MS);
  });
  await isDrawn;
  show("shown");
  whenClosed(close);
};

start().catch(() => show("failed"));
