/** Compiled, not run: each d.ts declares what its module (copied to source-….js) exports, no less and no more. */
import * as declared from "./bridge.js";
import * as guards from "./bridge-guard.js";
import * as notices from "./bridge-notices.js";
import * as purchases from "./bridge-purchase.js";
import * as sourceGuards from "./source-bridge-guard.js";
import * as sourceNotices from "./source-bridge-notices.js";
import * as sourcePurchases from "./source-bridge-purchase.js";
import * as source from "./source-bridge.js";

declare global {
  interface Element {
    readonly dataset: DOMStringMap; // the source looks up a script element, which has one
  }
}

export const agrees: Omit<typeof declared, "createBridge" | "bridge"> = source;
export const complete: Record<keyof typeof source, unknown> = declared;
export const guardsAgree: typeof guards = sourceGuards;
export const guardsComplete: Record<keyof typeof sourceGuards, unknown> = guards;
export const noticesAgree: typeof notices = sourceNotices;
export const noticesComplete: Record<keyof typeof sourceNotices, unknown> = notices;
export const purchasesAgree: typeof purchases = sourcePurchases;
export const purchasesComplete: Record<keyof typeof sourcePurchases, unknown> = purchases;

/** All but what is added as a getter or only typed more closely. */
type Made = Omit<declared.Bridge, "cart" | "handle" | "addEventListener">;
export const make: (options?: declared.Options) => Made = source.createBridge;

export async function use(button: HTMLElement, selection: object): Promise<string | undefined> {
  const bridge = declared.bridge ?? declared.createBridge({ base: "/rokt" });
  const same: object = bridge.attach(selection);
  await bridge.guard(button, 1000);
  guards.guard(bridge, "#continue");
  notices.showNotices(bridge, button, { texts: { refused: "Nein." } });
  purchases.createPurchases(bridge, { url: "/buy-again" });
  bridge.addEventListener("change", ({ detail }) => detail.items[0].unitPrice.padEnd(1));
  bridge.addEventListener("refused", ({ detail }) => detail.errors?.["updatedItem.quantity"]);
  bridge.addEventListener("notice", ({ detail, item }) => item?.reason?.concat(detail));
  const quote = await bridge.reserve({ acceptPrices: { a: "12.50" } });
  // @ts-expect-error the cart is the server's
  bridge.cart = null;
  return (await bridge.settled())?.items[0]?.cartItemId ?? quote?.items[0]?.lockedPrice ?? String(same);
}
