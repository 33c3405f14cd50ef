import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { FakeServer, Host, open, Selection, turn } from "./harness.js";

const file = new URL("../../data/sdk-events.json", import.meta.url);
const { scenarios } = JSON.parse(readFileSync(file, "utf8"));

/** “Not here”: an answer to an ask for an id that the placement never named. Nobody removed it. */
const isNotHere = ({ cartItem, oldCartItem }, named) =>
  !oldCartItem && cartItem.quantity === 0 && !named.has(cartItem.cartItemId);

/** What the bridge asked for, as it did after a refused fraction, is not to be sent back. */
const isEcho = ({ cartItem, oldCartItem }, asks) => asks.some(([, ask]) =>
  ask.cartItemId === (cartItem ?? oldCartItem).cartItemId && ask.quantity === (cartItem?.quantity ?? 0));

/** Says what the renderer said, step by step; gives what the server got after each. */
async function replay(steps) {
  const server = new FakeServer();
  const { host, bridge, events } = await open({ server });
  const selection = new Selection();
  bridge.attach(selection);
  const log = [];
  const named = new Set();
  for (const { step, messages } of steps) {
    const asks = [...selection.sent];
    const before = server.updates.length;
    for (const { both, direction, name, body } of messages) {
      if (both) selection.change(both.cartItem, both.oldCartItem);
      else if (direction === "placement->partner") selection.say(name, body);
      else continue;
      await host.pass(100);
    }
    const told = messages.map(({ both }) => both)
      .filter((both) => both?.cartItem || both?.oldCartItem)
      .filter((both) => !isEcho(both, asks) && !isNotHere(both, named));
    for (const { cartItem } of told) if (cartItem) named.add(cartItem.cartItemId);
    const sent = server.updates.slice(before);
    log.push({ step, told, sent, held: { ...server.quantities } });
  }
  return { log, server, bridge, selection, events };
}

describe("the recording of the real renderer", () => {
  for (const { scenario, steps } of scenarios) {
    it(`${scenario}: every change is sent once, as it was told`, async () => {
      const { log, server } = await replay(steps);
      assert.ok(log.some(({ told }) => told.length > 0));
      for (const { step, told, sent } of log) {
        assert.deepEqual(
          sent.map(({ updatedItem, oldItem }) => ({ updatedItem, oldItem: oldItem?.cartItemId })),
          told.map(({ cartItem, oldCartItem }) =>
            ({ updatedItem: cartItem, oldItem: oldCartItem?.cartItemId })),
          step,
        );
      }
      const numbers = server.updates.map(({ seq }) => seq);
      assert.deepEqual(numbers, numbers.map((_, index) => index + 1));
    });
  }

  it("shopper: what is held after each step is what the placement last said", async () => {
    const { log, events, selection } = await replay(scenarios[0].steps);
    const last = new Map();
    for (const { step, told, held } of log) {
      for (const { cartItem, oldCartItem } of told) {
        const { cartItemId } = cartItem ?? oldCartItem;
        if (Number.isInteger(cartItem?.quantity ?? 0)) last.set(cartItemId, cartItem?.quantity ?? 0);
      }
      const expected = Object.fromEntries([...last].filter(([, quantity]) => quantity));
      assert.deepEqual(held, expected, step);
    }
    assert.equal(events.filter(([name]) => name === "refused").length, 1, "2.5 pieces");
    assert.deepEqual(selection.sent.map(([, { quantity }]) => quantity), [4], "4 were held");
  });

  it("preselected: told before the placement was interactive, and marked so", async () => {
    const { steps } = scenarios.find(({ scenario }) => scenario === "preselected");
    const { log } = await replay(steps);
    assert.deepEqual(log[0].sent.map(({ preselected }) => preselected), [true, true]);
    assert.ok(log[1].sent.every((update) => !("preselected" in update)));
  });

  it("next visit: the held line survives “not here” and is shown under its new id", async () => {
    const name = "next visit: the cart item ids change";
    const [, stale, fresh] = scenarios.find(({ scenario }) => scenario === name).steps;
    const { both: nothing } = stale.messages.find(({ both }) => both);
    const { both: found } = fresh.messages.find(({ both }) => both);
    const server = new FakeServer();
    server.hold({ ...found.cartItem, cartItemId: nothing.cartItem.cartItemId }, 2);
    const { bridge } = await open({ server, host: new Host(server) });
    const selection = new Selection();
    bridge.attach(selection);
    selection.say("PLACEMENT_INTERACTIVE");
    await turn();
    assert.deepEqual(selection.sent,
      [["V2_UPDATE_CART_ITEM", { cartItemId: nothing.cartItem.cartItemId, quantity: 2 }]]);
    selection.change(nothing.cartItem, nothing.oldCartItem);
    await turn();
    assert.deepEqual(server.updates, []);
    selection.change({ ...found.cartItem, quantity: 1 }, null);
    await turn();
    assert.deepEqual(server.quantities, { [found.cartItem.cartItemId]: 1 }, "not doubled");
  });
});
