/** Compiled, not run: bridge.d.ts declares what bridge.js (copied to source.js) exports, no less and no more. */
import * as declared from "./bridge.js";
import * as source from "./source.js";

declare global {
  interface Element {
    readonly dataset: DOMStringMap; // the source looks up a script element, which has one
  }
}

export const agrees: Omit<typeof declared, "createBridge" | "bridge"> = source;
export const complete: Record<keyof typeof source, unknown> = declared;

/** All but what is added as a getter or only typed more closely. */
type Made = Omit<declared.Bridge, "cart" | "handle" | "addEventListener">;
export const make: (options?: declared.Options) => Made = source.createBridge;

export async function use(button: HTMLElement, selection: object): Promise<string | undefined> {
  const bridge = declared.bridge ?? declared.createBridge({ base: "/rokt" });
  bridge.attach(selection);
  bridge.guard(button, 1000);
  bridge.addEventListener("change", ({ detail }) => detail.items[0].unitPrice.padEnd(1));
  bridge.addEventListener("refused", ({ detail }) => detail.errors?.["updatedItem.quantity"]);
  // @ts-expect-error the cart is the server's
  bridge.cart = null;
  return (await bridge.settled())?.items[0]?.cartItemId;
}
