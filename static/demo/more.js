// @ts-check
/**
 * One more thing on the thanks page: a placement in which one press buys. Nothing is seen of it before
 * it is drawn, or when it is not; the page is whole without it. Whether the card may be charged again is
 * the shop's to say, and bridge-purchase.js brings its answer to the placement.
 */
import { launcherScript, overheard, select, teller, whenClosed } from "./sdk.js";
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

/** Why nothing was bought, as the shop's server or the bridge says it. @type {Record<string, string>} */
const WHY = {
  declined: "Your bank did not take another charge. Nothing was bought; your tickets are not affected.",
  sold_out: "Somebody else took the last one. You were not charged.",
  refund_needed: "The provider could not make it after all. What you paid for it goes back to your card.",
  price_changed: "The price has just gone up, so we did not buy it. You were not charged.",
};
const UNKNOWN =
  "We did not hear whether that worked. Please look at your order in a minute; trying again never charges you twice.";
const OTHERWISE = "That could not be bought just now. You were not charged.";

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

/** @param {any} answer */
const tell = ({ paid, success, reason = "" }) => {
  if (paid) refresh();
  if (!success) say(["network", "timeout"].includes(reason) ? UNKNOWN : (WHY[reason] ?? OTHERWISE));
};

/** The shopper took the placement away: the focus that was in it goes to the page. */
const close = () => {
  more.hidden = true;
  if (document.activeElement === document.body) find("main").focus();
};

const start = async () => {
  const script = launcherScript();
  const { createBridge } = await import(settings.bridge ?? "");
  const bridge = createBridge();
  await bridge.use("purchase", settings.buy);
  bridge.addEventListener("purchase", (/** @type {CustomEvent} */ { detail }) => tell(detail));
  const selection = await select(await script, settings, "checkout.confirmation");
  const log = teller(settings.sdkLog ?? "");
  bridge.attach(overheard(selection, log, () => undefined));
  for (const name of MESSAGES) selection.on(name).subscribe(log);
  selection.on("CART_ITEM_INSTANT_PURCHASE").subscribe(() => say(""));
  selection.on("PLACEMENT_CLOSED").subscribe(close);
  selection.on("PLACEMENT_INTERACTIVE").subscribe(() => {
    more.hidden = false;
    whenClosed(close);
  });
};

start().catch(() => {}); // it was optional
