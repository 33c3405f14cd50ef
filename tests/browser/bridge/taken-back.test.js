import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { FakeServer, item, open, problem, Selection, turn } from "./harness.js";

const partly = { available: 2, reason: "partly_reserved", status: "reserved" };
const gone = { available: 0, reason: "sold_out", status: "rejected" };

/** A placement that shows 3 of “a”, and a server that grants less of it at the next reserve. */
async function reserving(granted) {
  const server = new FakeServer();
  const page = await open({ server });
  const selection = new Selection();
  page.bridge.attach(selection);
  selection.say("PLACEMENT_INTERACTIVE");
  selection.change(item("a", 3));
  await turn();
  server.reserve = (cart) => {
    cart.items = cart.items.map((line) => ({ ...line, ...granted }));
    return { quoteId: "q", items: [] };
  };
  page.events.length = 0;
  const notices = [];
  page.bridge.addEventListener("notice", (event) => notices.push(event));
  const asked = () => selection.sent.map(([, { cartItemId, quantity }]) => [cartItemId, quantity]);
  return { ...page, selection, notices, asked };
}

describe("reserve", () => {
  it("gives the quote, and what was not granted is taken back in the placement", async () => {
    const { bridge, host, asked } = await reserving(gone);
    const quote = bridge.reserve({ acceptPrices: { a: "12.50" } });
    await host.pass(0);
    assert.deepEqual(await quote, { quoteId: "q", items: [] });
    await turn();
    assert.deepEqual(asked(), [["a", 0]]);
    assert.equal(bridge.cart.items[0].quantity, 3, "the line stays");
  });

  it("is asked for after the last change, and with what the page says", async () => {
    const { server, bridge, host, selection } = await reserving(partly);
    const quote = bridge.reserve({ acceptPrices: { a: "12.50" } });
    selection.change(item("a", 4), item("a", 3));
    await host.pass(0);
    await quote;
    const paths = server.requests.slice(2).map(({ path }) => path.slice("/rokt/".length));
    assert.deepEqual(paths, ["cart/updates", "cart/reserve", "cart"]);
    assert.deepEqual(server.requests.at(-2).body, { acceptPrices: { a: "12.50" } });
  });

  it("gives null where it cannot be had: the checkout goes on without", async () => {
    for (const fault of ["lost", problem(503, "Down."), problem(422, "No.")]) {
      const { server, bridge, host } = await reserving(gone);
      server.faults = [fault];
      const quote = bridge.reserve();
      await host.pass(60_000);
      assert.equal(await quote, null);
    }
  });

  it("gives null after three seconds when a change cannot be sent: the quote would be of another cart", async () => {
    const { server, bridge, host, selection } = await reserving(gone);
    server.faults = Array(99).fill("lost");
    selection.change(null, item("a", 0));
    let quote;
    bridge.reserve().then((found) => { quote = found; });
    await host.pass(2999);
    assert.equal(quote, undefined);
    await host.pass(1);
    await host.pass(20_000);
    assert.equal(quote, null);
    assert.ok(!server.requests.some(({ path }) => path.endsWith("/reserve")));
  });
});

describe("what is taken back", () => {
  it("comes back as an echo that is no update, also when it comes late", async () => {
    const { server, bridge, host, selection, asked } = await reserving(partly);
    bridge.reserve();
    await host.pass(0);
    assert.deepEqual(asked(), [["a", 2]]);
    await host.pass(19_000);
    selection.change(item("a", 2), item("a", 3));
    await turn();
    assert.equal(server.updates.length, 1);
    assert.deepEqual(server.quantities, { a: 3 });
  });

  it("is the shopper's to change afterwards, to any quantity", async () => {
    const { server, bridge, host, selection } = await reserving(partly);
    bridge.reserve();
    await host.pass(0);
    selection.change(item("a", 2), item("a", 3));
    selection.change(item("a", 1), item("a", 2));
    await turn();
    assert.deepEqual(server.quantities, { a: 1 });
    selection.change(item("a", 2), item("a", 1));
    await turn();
    assert.deepEqual(server.quantities, { a: 2 });
  });

  it("can be removed by the page's own button, though the placement shows 0", async () => {
    const { server, bridge, host, selection } = await reserving(gone);
    bridge.reserve();
    await host.pass(0);
    selection.change(null, item("a", 0));
    await turn();
    bridge.updateItemCallback(null, { cartItemId: "a", quantity: 0 });
    await turn();
    assert.deepEqual(server.quantities, {});
  });

  it("is asked for once, not at each reading of the cart", async () => {
    const { bridge, host, asked } = await reserving(gone);
    bridge.reserve();
    await host.pass(0);
    for (let time = 0; time < 3; time += 1) {
      host.say("visibilitychange");
      await host.pass(30_000);
    }
    assert.deepEqual(asked(), [["a", 0]]);
  });

  it("is not there after a reload either", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3), 3, partly);
    const { bridge } = await open({ server });
    const selection = new Selection();
    bridge.attach(selection);
    selection.say("PLACEMENT_INTERACTIVE");
    assert.deepEqual(selection.sent, [["V2_UPDATE_CART_ITEM", { cartItemId: "a", quantity: 2 }]]);
  });

  it("is left out for the legacy SDK, too", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3), 3, partly);
    const { bridge } = await open({ server });
    const restored = [];
    bridge.attach({ cart: { onUpdateItem() {}, setItems: (items) => restored.push(...items) } });
    assert.deepEqual(restored.map(({ quantity, unitPrice, totalPrice }) =>
      [quantity, unitPrice, totalPrice]), [[2, 12.5, 25]]);
  });
});

describe("two asks under way at once", () => {
  it("come back as two echoes, neither of them an update", async () => {
    const { server, host, selection, asked } = await reserving(partly);
    for (const quantity of [4, 5]) {
      server.hold(item("a", quantity));
      host.say("visibilitychange");
      await turn();
    }
    assert.deepEqual(asked(), [["a", 4], ["a", 5]]);
    selection.change(item("a", 4), item("a", 3));
    selection.change(item("a", 5), item("a", 4));
    await turn();
    assert.equal(server.updates.length, 1);
    selection.change(item("a", 4), item("a", 5));
    await turn();
    assert.deepEqual(server.quantities, { a: 4 }, "the shopper's own");
  });

  it("may be answered once: the placement was faster, or had the first quantity already", async () => {
    const { server, host, selection } = await reserving(partly);
    for (const quantity of [4, 5]) {
      server.hold(item("a", quantity));
      host.say("visibilitychange");
      await turn();
    }
    selection.change(item("a", 5), item("a", 3));
    selection.change(item("a", 4), item("a", 5));
    await turn();
    assert.deepEqual(server.quantities, { a: 4 });
  });
});

describe("the notice", () => {
  it("names the item and why, in a text, and carries the item for programs", async () => {
    const { bridge, host, notices } = await reserving(partly);
    bridge.reserve();
    await host.pass(0);
    const [{ detail, item: told }] = notices;
    assert.equal(detail, "a: partly reserved");
    assert.deepEqual([told.cartItemId, told.quantity, told.available, told.reason],
      ["a", 3, 2, "partly_reserved"]);
  });

  it("comes once, not at each reading of the cart", async () => {
    const { bridge, host, notices } = await reserving(gone);
    bridge.reserve();
    await host.pass(0);
    host.say("visibilitychange");
    await host.pass(0);
    bridge.updateItemCallback(item("b"), null);
    await host.pass(0);
    assert.equal(notices.length, 1);
  });

  it("comes again when the item was changed and is rejected again", async () => {
    const { server, bridge, host, selection, notices } = await reserving(gone);
    bridge.reserve();
    await host.pass(0);
    selection.change(null, item("a", 0));
    selection.change(item("a", 1));
    await turn();
    assert.equal(server.cart.items[0].reason, undefined);
    bridge.reserve();
    await host.pass(0);
    assert.equal(notices.length, 2);
  });

  it("comes for what was rejected on another page", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3), 3, gone);
    const { events } = await open({ server });
    assert.deepEqual(events.at(-1), ["notice", "a: sold out"]);
  });

  it("of a refused change carries no item", async () => {
    const { server, selection, notices } = await reserving(gone);
    server.faults = [problem(422, "No.")];
    selection.change(item("a", 9), item("a", 3));
    await turn();
    assert.deepEqual(notices.map(({ detail, item: told }) => [detail, told]),
      [["That change was refused.", undefined]]);
  });
});
