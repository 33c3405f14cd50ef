import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  backoff, coalesce, differences, idHere, isPassing, itemId,
} from "../../../static/bridge/bridge.js";

const update = (id, seq, more = {}) =>
  ({ page: "p", seq, updatedItem: { cartItemId: id, quantity: seq }, oldItem: null, ...more });
const line = (cartItemId, quantity, more = {}) =>
  ({ cartItemId, catalogItemId: `sku-${cartItemId}`, quantity, status: "held", ...more });
const cart = (...items) => ({ cartId: "c", version: 1, items, totals: {}, removed: [] });

describe("the item an update is about", () => {
  it("is the updated one, else the old one, else none", () => {
    assert.equal(itemId({ updatedItem: { cartItemId: "a" }, oldItem: { cartItemId: "b" } }), "a");
    assert.equal(itemId({ updatedItem: null, oldItem: { cartItemId: "b" } }), "b");
    assert.equal(itemId({ updatedItem: null, oldItem: null }), undefined);
  });
});

describe("coalescing", () => {
  it("keeps the newest of one item, at the end, with its own number", () => {
    const queue = coalesce([update("a", 1), update("b", 2)], update("a", 3));
    assert.deepEqual(queue.map(({ seq }) => seq), [2, 3]);
  });

  it("never touches the one in flight", () => {
    const flying = update("a", 1);
    assert.deepEqual(coalesce([flying], update("a", 2), flying).map(({ seq }) => seq), [1, 2]);
  });

  it("keeps what re-keys, and what stems from another page load or from a preselection", () => {
    const rekeying = update("a", 1, { oldItem: { cartItemId: "older" } });
    const elsewhere = update("a", 2, { page: "q" });
    const preselected = update("a", 3, { preselected: true });
    const queue = [rekeying, elsewhere, preselected];
    assert.deepEqual(coalesce(queue, update("a", 4)).map(({ seq }) => seq), [1, 2, 3, 4]);
  });

  it("drops an addition that its removal overtakes", () => {
    const removal = update("a", 2, { updatedItem: null, oldItem: { cartItemId: "a" } });
    assert.deepEqual(coalesce([update("a", 1)], removal), [removal]);
  });
});

describe("waiting before the next attempt", () => {
  it("doubles from half a second to 20 seconds, with up to half of it taken off", () => {
    assert.deepEqual([1, 2, 3, 6, 7, 50].map((n) => backoff(n, 0)),
      [500, 1000, 2000, 16000, 20000, 20000]);
    assert.equal(backoff(1, 1), 250);
    for (let n = 1; n < 20; n += 1) assert.ok(backoff(n) >= backoff(n, 1) && backoff(n) <= 20000);
  });
});

describe("every status", () => {
  it("is for good, unless it is no answer, too much or the server's own trouble", () => {
    const passing = [0, 408, 429];
    for (let status = 500; status < 600; status += 1) passing.push(status);
    const found = [0, ...Array.from({ length: 500 }, (_, i) => 100 + i)].filter(isPassing);
    assert.deepEqual(found, passing);
  });
});

describe("the id a held line has on this page", () => {
  const shown = (...pairs) =>
    new Map(pairs.map(([id, catalogItemId]) => [id, { quantity: 1, catalogItemId }]));

  it("is its own where the placement names it, or names nothing like it", () => {
    const held = cart(line("a", 1, { catalogItemId: "x" }));
    assert.equal(idHere(held.items[0], held, shown()), "a");
    assert.equal(idHere(held.items[0], held, shown(["b", "x"], ["a", "x"])), "a");
    assert.equal(idHere(held.items[0], held, shown(["b", "y"])), "a");
  });

  it("is the new one that the placement gave to the same catalogue item", () => {
    const held = cart(line("old", 1, { catalogItemId: "x" }));
    assert.equal(idHere(held.items[0], held, shown(["new", "x"])), "new");
  });

  it("is never one that another line holds", () => {
    const held = cart(line("old", 1, { catalogItemId: "x" }), line("new", 2, { catalogItemId: "x" }));
    assert.equal(idHere(held.items[0], held, shown(["new", "x"])), "old");
  });
});

describe("what to ask the placement for", () => {
  const shown = (entries) => new Map(Object.entries(entries));

  it("is each quantity that differs, and nothing where all is the same", () => {
    const now = shown({ a: { quantity: 1, catalogItemId: "sku-a" } });
    assert.deepEqual(differences(cart(line("a", 1)), now), []);
    assert.deepEqual(differences(cart(line("a", 3)), now), [{ cartItemId: "a", quantity: 3 }]);
    assert.deepEqual(differences(cart(line("b", 2)), shown({})), [{ cartItemId: "b", quantity: 2 }]);
  });

  it("is 0 for what is shown and not held, but not for an id that the placement never named", () => {
    const now = shown({ a: { quantity: 2, catalogItemId: "sku-a" }, gone: { quantity: 2 } });
    assert.deepEqual(differences(cart(), now), [{ cartItemId: "a", quantity: 0 }]);
  });

  it("uses the id of this page for a line of an earlier one", () => {
    const now = shown({ fresh: { quantity: 1, catalogItemId: "x" } });
    const held = cart(line("stale", 2, { catalogItemId: "x" }));
    assert.deepEqual(differences(held, now), [{ cartItemId: "fresh", quantity: 2 }]);
  });

  it("is what can be had of a line, where that is less than what is held", () => {
    const now = shown({ a: { quantity: 3, catalogItemId: "sku-a" } });
    assert.deepEqual(differences(cart(line("a", 3, { available: 2 })), now), [{ cartItemId: "a", quantity: 2 }]);
    assert.deepEqual(differences(cart(line("a", 3, { available: 0 })), now), [{ cartItemId: "a", quantity: 0 }]);
    assert.deepEqual(differences(cart(line("a", 3, { available: 3 })), now), []);
  });

  it("counts what was asked for and not answered yet as shown", () => {
    const asked = (...asks) => shown({ a: { quantity: 1, catalogItemId: "sku-a", asks } });
    assert.deepEqual(differences(cart(line("a", 3)), asked(2, 3)), []);
    assert.deepEqual(differences(cart(line("a", 2)), asked(2, 3)), [{ cartItemId: "a", quantity: 2 }]);
  });
});
