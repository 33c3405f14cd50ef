import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { FakeServer, item, open, problem, Selection, turn } from "./harness.js";

/** An attached placement that shows offers. */
async function placed({ interactive = true, ...options } = {}) {
  const page = await open(options);
  const selection = new Selection();
  page.bridge.attach(selection);
  if (interactive) selection.say("PLACEMENT_INTERACTIVE");
  await turn();
  const asked = () => selection.sent.map(([, { cartItemId, quantity }]) => [cartItemId, quantity]);
  return { ...page, selection, asked };
}

/** The first generation's interface, with what the page did with it. */
function legacy() {
  const callbacks = [];
  const restored = [];
  const cart = {
    onUpdateItem: (callback) => callbacks.push(callback),
    setItems: (items) => restored.push(items),
  };
  return { cart, callbacks, restored };
}

describe("a change", () => {
  it("told twice counts once", async () => {
    const { server, selection } = await placed();
    selection.change(item("a", 1));
    await turn();
    selection.change(item("a", 2), item("a", 1));
    await turn();
    assert.deepEqual(server.updates.map(({ updatedItem }) => updatedItem.quantity), [1, 2]);
  });

  it("counts once when the selection is attached twice, under another wrapping, too", async () => {
    const { server, bridge, selection } = await placed();
    bridge.attach(selection);
    bridge.attach({ on: (name) => selection.on(name) });
    selection.change(item("a", 1));
    await turn();
    assert.equal(server.updates.length, 1);
  });

  it("counts once when two generations tell it, whichever is first", async () => {
    const { server, bridge, selection } = await placed();
    const old = legacy();
    bridge.attach(old);
    bridge.attach(old);
    assert.equal(old.callbacks.length, 1);
    selection.change(item("a", 1));
    old.callbacks[0](item("a", 1), null);
    await turn();
    old.callbacks[0](null, item("a", 0));
    selection.change(null, item("a", 0));
    await turn();
    assert.deepEqual(server.updates.map(({ updatedItem }) => updatedItem?.quantity), [1, undefined]);
  });

  it("is subscribed to once, and no preselection, when the page attaches again", async () => {
    const { server, bridge } = await open();
    const selection = new Selection();
    const names = [];
    const spied = { on: (name) => (names.push(name), selection.on(name)) };
    bridge.attach(spied);
    bridge.attach(spied);
    selection.say("PLACEMENT_INTERACTIVE");
    bridge.attach(spied);
    assert.equal(names.length, new Set(names).size);
    selection.change(item("a"));
    await turn();
    assert.ok(!("preselected" in server.updates[0]));
  });

  it("told by V2 alone, always null → 1, counts at every click", async () => {
    const { server, selection } = await placed();
    for (let click = 0; click < 3; click += 1) {
      selection.say("V2_CART_ITEM_UPDATED", { cartItem: item("a", 1), oldCartItem: null });
      await turn();
    }
    assert.equal(server.updates.length, 3);
    assert.deepEqual(server.quantities, { a: 1 });
  });

  it("and back again is not taken for a double", async () => {
    const { server, selection } = await placed();
    for (const quantity of [1, 2, 1, 2]) {
      selection.change(item("a", quantity));
      await turn();
    }
    assert.deepEqual(server.updates.map(({ updatedItem }) => updatedItem.quantity), [1, 2, 1, 2]);
  });

  it("without a body, or with two nulls, is none", async () => {
    const { server, selection } = await placed();
    selection.say("V2_CART_ITEM_UPDATED");
    selection.change(null, null);
    await turn();
    assert.deepEqual(server.updates, []);
  });
});

describe("before the placement is interactive", () => {
  it("an addition is a preselection, and later it is the shopper's", async () => {
    const { server, selection } = await placed({ interactive: false });
    selection.change(item("a", 1));
    await turn();
    selection.say("PLACEMENT_INTERACTIVE");
    selection.change(item("a", 2), item("a", 1));
    await turn();
    assert.deepEqual(server.updates.map(({ preselected }) => preselected), [true, undefined]);
  });

  it("a removal is the shopper's", async () => {
    const { server, selection } = await placed({ interactive: false });
    selection.change(null, item("a", 0));
    await turn();
    assert.ok(!("preselected" in server.updates[0]));
  });

  it("the legacy callback tells preselections too, but alone it never does", async () => {
    const drawing = await placed({ interactive: false });
    drawing.bridge.updateItemCallback(item("a"), null);
    await turn();
    assert.equal(drawing.server.updates[0].preselected, true);
    const alone = await open();
    alone.bridge.attach(legacy());
    alone.bridge.updateItemCallback(item("a"), null);
    await turn();
    assert.ok(!("preselected" in alone.server.updates[0]));
  });

  it("nothing is asked of it, as it would not hear", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3));
    const { selection, asked } = await placed({ server, interactive: false });
    assert.deepEqual(asked(), []);
    selection.say("PLACEMENT_INTERACTIVE");
    await turn();
    assert.deepEqual(selection.sent, [["V2_UPDATE_CART_ITEM", { cartItemId: "a", quantity: 3 }]]);
  });
});

describe("the held cart in the placement", () => {
  it("waits until nothing is unsent and the cart was read anew", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3));
    const before = await open({ server });
    server.faults = Array(9).fill("lost");
    before.bridge.updateItemCallback(item("a", 2), item("a", 3));
    await turn();

    const { host, selection, asked } = await placed({ server, host: before.host.reload(server) });
    assert.deepEqual(asked(), [], "3 is not what the shopper wants any more");
    server.faults = [];
    await host.pass(30_000);
    assert.deepEqual(asked(), [["a", 2]]);
    assert.equal(selection.sent.length, 1);
  });

  it("waits for the answer to what is in flight", async () => {
    const { server, bridge, selection, asked } = await placed({ interactive: false });
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    selection.change(item("a", 2));
    await turn();
    selection.say("PLACEMENT_INTERACTIVE");
    bridge.attach(new Selection());
    assert.deepEqual(asked(), [], "an empty cart is not what the server will hold");
    answer();
    await turn();
    assert.deepEqual(asked(), []);
  });

  it("waits for the cart that is being read", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3));
    const { host, selection, asked } = await placed({ server, interactive: false });
    server.hold(item("a", 4));
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    host.say("visibilitychange");
    selection.say("PLACEMENT_INTERACTIVE");
    assert.deepEqual(asked(), []);
    answer();
    await turn();
    assert.deepEqual(asked(), [["a", 4]]);
  });

  it("comes back as an echo, told twice, that is no update", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3));
    const { selection, asked } = await placed({ server });
    selection.change(item("a", 3));
    await turn();
    assert.deepEqual(server.updates, []);
    assert.deepEqual(asked(), [["a", 3]], "asked once");
  });

  it("a click between the ask and its echo is not lost", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3));
    const { selection } = await placed({ server });
    selection.change(item("a", 1)); // the shopper was faster than our message
    selection.change(item("a", 3), item("a", 1)); // then it arrived
    await turn();
    assert.deepEqual(server.quantities, { a: 3 }, "what the placement shows");
    selection.change(item("a", 4), item("a", 3));
    await turn();
    assert.deepEqual(server.quantities, { a: 4 });
  });

  it("a click that repeats an ask without an echo counts again after a while", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3));
    const { host, selection } = await placed({ server });
    await host.pass(21_000);
    selection.change(item("a", 3));
    await turn();
    assert.equal(server.updates.length, 1);
  });

  it("“not here” keeps the line, and it is not asked for again", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3));
    const { host, selection, asked } = await placed({ server });
    const nothing = item("a", 0, { catalogItemId: "", name: "", currency: "" });
    await host.pass(60_000);
    selection.change(nothing);
    await turn();
    host.say("visibilitychange");
    await turn();
    assert.deepEqual(server.updates, []);
    assert.deepEqual(server.quantities, { a: 3 });
    assert.deepEqual(asked(), [["a", 3]]);
  });

  it("a removal spelled as quantity 0 is one when we did not ask", async () => {
    const { server, selection } = await placed();
    selection.change(item("a", 2));
    await turn();
    selection.change(item("a", 0, { catalogItemId: "", currency: "" }));
    await turn();
    assert.deepEqual(server.quantities, {});
  });

  it("takes the place of an ignored preselection", async () => {
    const server = new FakeServer();
    server.hold(item("old", 3, { catalogItemId: "x" }));
    const { bridge, host, selection, asked } = await placed({ server, interactive: false });
    selection.change(item("new", 1, { catalogItemId: "x" }));
    await turn();
    selection.say("PLACEMENT_INTERACTIVE");
    await turn();
    assert.deepEqual(asked(), [["new", 3]]);
    selection.change(item("new", 3, { catalogItemId: "x" }), item("new", 1));
    await turn();
    assert.equal(server.updates.length, 1, "the echo is no update");

    selection.change(null, item("new", 0));
    await host.pass(0);
    assert.deepEqual(bridge.cart.items, [], "the line of the earlier visit is what was removed");
    assert.deepEqual(asked(), [["new", 3]]);
  });

  it("is changed and then removed at once, though the server has it under another id yet", async () => {
    const server = new FakeServer();
    server.hold(item("old", 3, { catalogItemId: "x" }));
    const { selection } = await placed({ server, interactive: false });
    selection.change(item("new", 3, { catalogItemId: "x" }));
    await turn();
    selection.say("PLACEMENT_INTERACTIVE");
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    selection.change(item("new", 2, { catalogItemId: "x" }), item("new", 3));
    await turn();
    selection.change(null, item("new", 0));
    answer();
    await turn();
    assert.deepEqual(server.quantities, {});
  });

  it("takes out what the shopper had removed and the placement preselects again", async () => {
    const server = new FakeServer();
    server.cart.removed.push("sku-a");
    const { selection, asked } = await placed({ server, interactive: false });
    selection.change(item("a", 1));
    await turn();
    selection.say("PLACEMENT_INTERACTIVE");
    assert.deepEqual(asked(), [["a", 0]]);
    selection.change(null, item("a", 0));
    await turn();
    assert.equal(server.updates.length, 1);
  });

  it("replaces a refused quantity, once, even if the placement ignores us", async () => {
    const { server, host, selection, asked } = await placed();
    selection.change(item("a", 4));
    await turn();
    selection.change(item("a", 2.5), item("a", 4));
    await turn();
    assert.deepEqual(asked(), [["a", 4]]);
    for (let i = 0; i < 3; i += 1) {
      host.say("visibilitychange");
      await host.pass(10_000);
    }
    assert.deepEqual(asked(), [["a", 4]]);
    selection.change(item("a", 3), item("a", 2.5));
    await turn();
    assert.deepEqual(server.quantities, { a: 3 });
  });

  it("takes back a refused addition", async () => {
    const { server, selection, asked } = await placed();
    server.faults = [problem(422, "Too many lines.")];
    selection.change(item("a", 1));
    await turn();
    assert.deepEqual(asked(), [["a", 0]]);
  });

  it("follows a change made elsewhere", async () => {
    const { server, host, selection, asked } = await placed();
    selection.change(item("a", 1));
    await turn();
    server.hold(item("a", 5));
    host.say("visibilitychange");
    await turn();
    assert.deepEqual(asked(), [["a", 5]]);
  });

  it("follows the page's own button, by whichever id the line has", async () => {
    const server = new FakeServer();
    server.hold(item("old", 3, { catalogItemId: "x" }));
    const { bridge, selection, asked } = await placed({ server, interactive: false });
    selection.change(item("new", 3, { catalogItemId: "x" }));
    selection.change(item("a", 1));
    selection.say("PLACEMENT_INTERACTIVE");
    await turn();
    for (const cartItemId of ["old", "a"]) {
      bridge.updateItemCallback(null, { cartItemId, quantity: 0 });
      await turn();
    }
    assert.deepEqual(server.quantities, {});
    assert.deepEqual(asked(), [["new", 0], ["a", 0]]);
  });

  it("goes to the legacy SDK as its items, with numbers", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3));
    const { bridge } = await open({ server });
    const old = legacy();
    bridge.attach(old);
    assert.equal(old.restored.length, 1);
    const [{ cartItemId, catalogItemId, quantity, unitPrice, totalPrice, currency }] = old.restored[0];
    assert.deepEqual([cartItemId, catalogItemId, quantity, unitPrice, totalPrice, currency],
      ["a", "sku-a", 3, 12.5, 37.5, "USD"]);
    old.callbacks[0](item("a", 3), null);
    await turn();
    assert.deepEqual(server.updates, []);
  });
});

describe("the legacy SDK", () => {
  it("is given a line of an earlier visit under the id it has now", async () => {
    const server = new FakeServer();
    server.hold(item("old", 3, { catalogItemId: "x" }));
    const { bridge } = await open({ server });
    const old = legacy();
    bridge.attach(old);
    server.faults = [problem(422, "No.")];
    old.callbacks[0](item("new", 2.5, { catalogItemId: "x" }), null);
    await turn();
    assert.deepEqual(old.restored.map(([{ cartItemId, quantity }]) => [cartItemId, quantity]),
      [["old", 3], ["new", 3]]);
  });
});

describe("the legacy SDK", () => {
  it("tells what it restored under a new id: that is an echo, not a change", async () => {
    const server = new FakeServer();
    server.hold(item("old", 3, { catalogItemId: "x" }));
    const { bridge } = await open({ server });
    const old = legacy();
    bridge.attach(old);
    server.hold(item("old", 4, { catalogItemId: "x" })); // another tab, meanwhile
    old.callbacks[0](item("new", 3, { catalogItemId: "x" }), item("old", 3));
    await turn();
    old.callbacks[0](item("new", 3, { catalogItemId: "x" }), item("old", 3)); // restored twice
    await turn();
    assert.deepEqual(server.updates, []);
    await bridge.refresh();
    assert.deepEqual(old.restored.at(-1).map(({ cartItemId, quantity }) => [cartItemId, quantity]),
      [["new", 4]]);
    old.callbacks[0](null, item("new", 0, { catalogItemId: "x" }));
    await turn();
    assert.deepEqual(server.quantities, {});
  });
});

describe("the legacy SDK beside a placement", () => {
  it("is silent about what it is given, so the shopper's way back counts", async () => {
    const { server, bridge, host, selection } = await placed();
    bridge.attach(legacy());
    selection.change(item("a", 1));
    await turn();
    for (const quantity of [2, 3]) { // another tab's, which `setItems` brings without a message
      server.hold(item("a", quantity));
      host.say("visibilitychange");
      await turn();
    }
    selection.change(item("a", 2), item("a", 3));
    await turn();
    assert.deepEqual(server.quantities, { a: 2 });
  });
});

describe("an SDK that misbehaves", () => {
  it("costs no update", async () => {
    const server = new FakeServer();
    server.hold(item("z", 1));
    const { bridge, host, selection } = await placed({ server });
    selection.deaf = true;
    bridge.attach(null);
    bridge.attach({});
    bridge.attach({ on() { throw new Error("unknown message"); } });
    bridge.attach({ on() {} });
    bridge.attach({ cart: { onUpdateItem() { throw new Error("no"); }, setItems() { throw new Error(); } } });
    selection.change(item("a", 2));
    await host.pass(0);
    server.hold(item("a", 5));
    host.say("visibilitychange");
    await host.pass(0);
    assert.equal(bridge.cart.items.length, 2);
  });
});
