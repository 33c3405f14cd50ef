// The page's own code, as for the real launcher, plus a record of all that is said.
const NAMES = [
  "V2_CART_ITEM_UPDATED",
  "UPDATE_CART_ITEM_MESSAGE",
  "PLACEMENT_INTERACTIVE",
  "PLACEMENT_CLOSED",
  "PLACEMENT_COMPLETED",
  "PLACEMENT_FAILURE",
  "OFFER_ENGAGEMENT",
  "POSITIVE_ENGAGEMENT",
  "CART_ITEM_INSTANT_PURCHASE",
];

window.recorded = [];
window.legacyCalls = [];
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});

const script = document.getElementById("rokt-launcher");
document.documentElement.dataset.page = "waiting";
if (!window.Rokt) await new Promise((resolve) => script.addEventListener("load", resolve));

window.rokt.cart.onUpdateItem((updated, old) => window.legacyCalls.push([updated, old]));
const launcher = await window.Rokt.createLauncher({ accountId: "stand-in", sandbox: true });
const identifier = new URLSearchParams(location.search).get("identifier") ?? "checkout.upsell";
const selection = await launcher.selectPlacements({ identifier, attributes: { email: "a@b.test" } });
window.launcher = launcher;
window.selection = selection;
for (const name of NAMES) {
  selection.on(name).subscribe((event) => {
    window.recorded.push({ direction: "placement->partner", ...event });
  });
}

window.toPlacement = (name, body) => {
  window.recorded.push({ direction: "partner->placement", name, body });
  return selection.send(name, body);
};

/** Resolves when everything that was said before has arrived: twice there and back. */
window.settled = async () => {
  for (let round = 0; round < 2; round += 1) {
    await selection.send("NOTHING");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
};

document.documentElement.dataset.page = "running";
