import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { FakeServer, Host, item, open, Selection, turn } from "./harness.js";

/** Two visible tabs of one browser. */
async function tabs({ server = new FakeServer(), spoil = () => {} } = {}) {
  const host = new Host(server);
  const other = host.tab(server);
  spoil(host);
  spoil(other);
  const first = await open({ server, host });
  const second = await open({ server, host: other });
  server.requests.length = 0;
  return { server, first, second };
}

describe("two visible tabs", () => {
  it("show the same cart after a change in either", async () => {
    const { server, first, second } = await tabs();
    first.bridge.updateItemCallback(item("a", 2), null);
    await first.host.pass(0);
    assert.equal(second.bridge.cart.items[0].quantity, 2);
    second.bridge.updateItemCallback(item("a", 3), item("a", 2));
    await second.host.pass(0);
    assert.equal(first.bridge.cart.items[0].quantity, 3);
    assert.equal(server.updates.length, 2);
  });

  it("bring their placements along, and take no echo for a change", async () => {
    const { server, first, second } = await tabs();
    const placements = [first, second].map(({ bridge }) => {
      const selection = new Selection();
      bridge.attach(selection);
      selection.say("PLACEMENT_INTERACTIVE");
      return selection;
    });
    for (const placement of placements) placement.change(item("a", 1));
    await first.host.pass(0);
    placements[0].change(item("a", 4), item("a", 1));
    await first.host.pass(0);
    assert.deepEqual(placements[1].sent.at(-1), ["V2_UPDATE_CART_ITEM", { cartItemId: "a", quantity: 4 }]);
    server.requests.length = 0;
    placements[1].change(item("a", 4), item("a", 1));
    await second.host.pass(0);
    assert.deepEqual(server.requests, []);
  });

  it("do not set each other off: one update costs one read in the other tab", async () => {
    const { server, first } = await tabs();
    first.bridge.updateItemCallback(item("a", 2), null);
    await first.host.pass(60_000);
    assert.deepEqual([server.updates.length, server.reads.length], [1, 1]);
  });

  it("say nothing of a read, nor of an update that changed nothing", async () => {
    const { server, first, second } = await tabs();
    server.hold(item("elsewhere"));
    await first.bridge.refresh();
    await turn();
    assert.equal(server.reads.length, 1);
    first.bridge.updateItemCallback(item("a", 2), null);
    await turn();
    server.requests.length = 0;
    second.bridge.updateItemCallback(item("a", 2), null);
    await turn();
    assert.deepEqual(server.reads, []);
  });

  it("go without each other where there is no channel", async () => {
    const { first } = await tabs({ spoil: (host) => { host.BroadcastChannel = undefined; } });
    first.bridge.updateItemCallback(item("a", 2), null);
    await turn();
    assert.equal(first.bridge.cart.items.length, 1);
  });
});

describe("the first updates of two tabs at once", () => {
  const start = async (options) => {
    const server = new FakeServer({ hasSession: false });
    const { first, second } = await tabs({ server, ...options });
    const answers = [];
    server.faults = [0, 1].map(() => new Promise((resolve) => answers.push(resolve)));
    first.bridge.updateItemCallback(item("a"), null);
    second.bridge.updateItemCallback(item("b"), null);
    await turn();
    return { server, answers, first, second };
  };

  it("start one session, not two of which the later cookie loses one", async () => {
    const { server, answers, second } = await start();
    assert.equal(server.updates.length, 1, "the second waits");
    for (const answer of answers) answer();
    await second.host.pass(0);
    assert.equal(server.handles.size, 1);
    assert.deepEqual(server.quantities, { a: 1, b: 1 });
  });

  it("go at once where there are no locks (plain http)", async () => {
    const { server } = await start({ spoil: (host) => { host.navigator = {}; } });
    assert.equal(server.updates.length, 2);
  });

  it("go at once where the lock is refused", async () => {
    const refuse = (host) => {
      host.navigator = { locks: { request: async () => { throw new Error("SecurityError"); } } };
    };
    const { server } = await start({ spoil: refuse });
    assert.equal(server.updates.length, 2);
  });

  it("are not sent beside each other when the page is left: they stay for the next one", async () => {
    const server = new FakeServer({ hasSession: false });
    const { host, bridge } = await open({ server });
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    for (const id of ["a", "b"]) bridge.updateItemCallback(item(id), null);
    await turn();
    host.say("pagehide");
    await turn();
    assert.equal(server.updates.length, 1);
    const next = host.reload(server); // the first one is under way, and sets the cookie
    answer();
    await turn();
    await open({ server, host: next });
    assert.equal(server.handles.size, 1);
    assert.deepEqual(server.quantities, { a: 1, b: 1 });
  });

  it("take no lock once the session is known", async () => {
    const { server, answers, first, second } = await start();
    for (const answer of answers) answer();
    await second.host.pass(0);
    first.host.navigator.locks.request = () => assert.fail("no lock is needed");
    first.bridge.updateItemCallback(item("c"), null);
    await turn();
    assert.deepEqual(server.quantities, { a: 1, b: 1, c: 1 });
  });
});
