/** Shapes of bridge-notices.js: says what was taken back or refused, in a live region of the page. */
import type { Bridge, Item } from "./bridge.js";

/** Code to text: the reasons of an item that cannot be had as held, and `refused` for a change. */
export type Texts = Partial<Record<
  "sold_out" | "rejected" | "partly_reserved" | "price_changed" | "currency_changed" | "refused", string
>> & Record<string, string>;

/**
 * The English texts. `{name}`, `{quantity}`, `{available}` and every other member of the item are filled in; `{price}`
 * is the price that Rokt locked, else the one seen, as the page's language writes it.
 */
export const TEXTS: Readonly<Texts>;

export interface NoticeOptions {
  /** In place of the English ones, by code. */
  texts?: Texts;
  /** Stands for `window` in tests. */
  host?: any;
}

/**
 * Makes `element` a live region (role "status") and tells there, a paragraph each, what the bridge notices; what is
 * in order again is taken out. Texts are set as text, never as HTML, and nothing is styled. The placements are sent an
 * `UPSERT_ALERT` and `DELETE_ALERT` along with it.
 */
export function showNotices(
  bridge: Pick<Bridge, "addEventListener" | "cart" | "selections">, element: Element, options?: NoticeOptions,
): void;

/** For `data-notices`: the region by a selector. Throws where nothing matches. */
export function start(bridge: Bridge, selector: string, options?: NoticeOptions): void;

/** The text for a code with the item filled in; `instead` where no text has that code. */
export function textFor(
  code: string, item: Partial<Item> | undefined, texts: Texts, instead: string, language?: string,
): string;
