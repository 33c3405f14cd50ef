// @ts-check
/**
 * The instant purchase on the thanks page: a placement in which one press buys. It is hidden until the
 * placement is drawn. The shop's server decides whether to charge the card, and bridge-purchase.js
 * sends its response to the placement.
 */
import { launcherScript, logged, reporter, select, whenClosed } from "./sdk.js";
import { refresh } from "./thanks.js";

const MESSAGES = [
  "PLACEMENT_INTERACTIVE",
  "PLACEMENT_FAILURE",
  "PLACEMENT_CLOSED",
  "PLACEMENT_COMPLETED",
  "OFFER_ENGAGEMENT",
  "POSITIVE_ENGAGEMENT",
  "CART_ITEM_INSTANT_PURCHASE",
];

/** The texts by the reason from the shop's server or the bridge. @type {Record<string, string>} */
const REASONS = {
  declined: "Your bank declined another charge. Nothing was bought, and your tickets are not affected.",
  sold_out: "Somebody else took the last one. You were not charged.",
  refund_needed: "The provider could not deliver it after all. What you paid for it goes back to your card.",
  price_changed: "The price has just gone up, so we did not buy it. You were not charged.",
};
const UNKNOWN =
  "We do not know yet whether that worked. Please check your order in a minute. Trying again never charges you twice.";
const OTHER = "That could not be bought just now. You were not charged.";

/** @param {string} id @returns {HTMLElement} */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const more = find("more");
const notices = find("more-notices");
const settings = more.dataset;

/** @param {string} text  "" for none */
const say = (text) => {
  const line = document.createElement("p");
  line.textContent = text;
  notices.replaceChildren(...(text ? [line] : []));
};

/** @param {any} result */
const show = ({ paid, success, reason = "" }) => {
  if (paid) refresh();
  if (!success) say(["network", "timeout"].includes(reason) ? UNKNOWN : (REASONS[reason] ?? OTHER));
};

/** The shopper closed the placement, so its focus moves to the page. */
const close = () => {
  more.hidden = true;
  if (document.activeElement === document.body) find("main").focus();
};

const start = async () => {
  const script = launcherScript();
  const { createBridge } = await import(settings.bridge ?? "");
  const bridge = createBridge();
  await bridge.use("purchase", settings.buy);
  bridge.addEventListener("purchase", (/** @type {CustomEvent} */ { detail }) => show(detail));
  const selection = await select(await script, settings, "checkout.confirmation");
  const log = reporter(settings.sdkLog ?? "");
  bridge.attach(logged(selection, log, () => undefined));
  for (const name of MESSAGES) selection.on(name).subscribe(log);
  selection.on("CART_ITEM_INSTANT_PURCHASE").subscribe(() => say(""));
  selection.on("PLACEMENT_CLOSED").subscribe(close);
  selection.on("PLACEMENT_INTERACTIVE").subscribe(() => {
    more.hidden = false;
    whenClosed(close);
  });
};

start().catch(() => {}); // the placement is optional
