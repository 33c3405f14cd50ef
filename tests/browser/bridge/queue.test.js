import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { FakeServer, Host, item, open, problem, Selection, turn } from "./harness.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("a fresh page", () => {
  it("reads the cart and sends nothing else", async () => {
    const { server, bridge, events } = await open();
    assert.deepEqual(server.requests.map(({ method, path }) => [method, path]), [["GET", "/rokt/cart"]]);
    assert.deepEqual(bridge.cart.items, []);
    assert.deepEqual(events.map(([name]) => name), ["change"]);
  });

  it("is settled at once, whether or not the server answers", async () => {
    const server = new FakeServer();
    server.faults = Array(9).fill("lost");
    const { bridge, host } = await open({ server });
    const settled = bridge.settled();
    await host.pass(0);
    assert.equal(await settled, null);
  });
});

describe("an update", () => {
  it("goes out as the SDK said it, with page, number and header, and its answer is the cart", async () => {
    const { server, bridge, events } = await open();
    bridge.updateItemCallback(item("a", 2), null);
    await turn();
    const { method, headers, credentials, keepalive, body, signal } = server.requests.at(-1);
    assert.deepEqual([method, keepalive], ["POST", true]);
    assert.equal(credentials ?? "same-origin", "same-origin"); // the default of fetch
    assert.deepEqual(headers, { "Rokt-Bff": "1", "Content-Type": "application/json" });
    const { page, ...rest } = body;
    assert.match(page, UUID);
    assert.deepEqual(rest, { seq: 1, updatedItem: item("a", 2), oldItem: null });
    assert.ok(signal instanceof AbortSignal, "no request waits for ever");
    await turn();
    assert.equal(bridge.cart.items[0].quantity, 2);
    assert.deepEqual(events.at(-1), ["change", bridge.cart]);
  });

  it("is a UUID per page load without a secure context, too", async () => {
    const server = new FakeServer();
    const host = new Host(server);
    host.crypto = {};
    const { bridge } = await open({ server, host });
    bridge.updateItemCallback(item("a"), null);
    await turn();
    assert.match(server.updates[0].page, UUID);
  });

  it("with both items null is none", async () => {
    const { server, bridge } = await open();
    bridge.updateItemCallback(null, null);
    bridge.updateItemCallback();
    await turn();
    assert.deepEqual(server.updates, []);
  });

  it("of a removal names the old item", async () => {
    const { server, bridge } = await open();
    bridge.updateItemCallback(item("a"), null);
    await turn();
    bridge.updateItemCallback(null, item("a", 0));
    await turn();
    assert.equal(server.updates[1].oldItem.cartItemId, "a");
    assert.deepEqual(bridge.cart.items, []);
  });

  it("too large for keepalive goes without it", async () => {
    const { server, bridge } = await open();
    bridge.updateItemCallback(item("a", 1, { description: "x".repeat(30_000) }), null);
    await turn();
    assert.equal(server.requests.at(-1).keepalive, false);
  });
});

describe("several updates", () => {
  it("go out one after another, in order", async () => {
    const { server, bridge } = await open();
    for (const id of ["a", "b", "c"]) bridge.updateItemCallback(item(id), null);
    await turn();
    assert.deepEqual(server.updates.map(({ updatedItem, seq }) => [updatedItem.cartItemId, seq]),
      [["a", 1], ["b", 2], ["c", 3]]);
    assert.equal(server.mostBusy, 1);
  });

  it("on one item wait as one, beside the one in flight", async () => {
    const { server, bridge, host } = await open();
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    bridge.updateItemCallback(item("a", 1), null);
    await turn();
    for (const quantity of [2, 3, 4]) bridge.updateItemCallback(item("a", quantity), null);
    answer();
    await host.pass(0);
    assert.deepEqual(server.updates.map(({ seq, updatedItem }) => [seq, updatedItem.quantity]),
      [[1, 1], [4, 4]]);
  });

  it("settle with the message of the last click, which comes a task later", async () => {
    const { server, bridge, host } = await open();
    server.faults = [new Promise(() => {})];
    let settled = false;
    bridge.settled().then(() => { settled = true; });
    await Promise.resolve();
    bridge.updateItemCallback(item("a"), null);
    await host.pass(0);
    assert.equal(settled, false);
  });

  it("settle when the last has its answer, and not before", async () => {
    const { server, bridge, host } = await open();
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    bridge.updateItemCallback(item("a"), null);
    bridge.updateItemCallback(item("b"), null);
    let settled;
    bridge.settled().then((cart) => { settled = cart; });
    await host.pass(1000);
    assert.equal(settled, undefined);
    answer();
    await host.pass(0);
    assert.deepEqual(settled.items.map(({ cartItemId }) => cartItemId), ["a", "b"]);
  });
});

describe("a lost request", () => {
  it("is sent again, the same, after a growing wait", async () => {
    const { server, bridge, host, events } = await open();
    server.faults = ["lost", "unheard", problem(503, "Busy.")];
    bridge.updateItemCallback(item("a", 2), null);
    await turn();
    assert.equal(server.updates.length, 1);
    await host.pass(249);
    assert.equal(server.updates.length, 1, "not before a quarter of a second");
    await host.pass(251);
    assert.equal(server.updates.length, 2);
    await host.pass(3000);
    assert.equal(server.updates.length, 4);
    for (const again of server.updates) assert.deepEqual(again, server.updates[0]);
    assert.equal(bridge.cart.items[0].quantity, 2);
    assert.ok(!events.some(([name]) => name === "refused"));
  });

  it("goes out again as soon as the browser is online", async () => {
    const { server, bridge, host } = await open();
    server.faults = ["lost", "lost"];
    bridge.updateItemCallback(item("a"), null);
    await turn();
    host.say("online");
    await turn();
    assert.equal(server.updates.length, 2);
  });

  it("takes a cut or foreign 200 for no answer", async () => {
    const { server, bridge, host } = await open();
    server.faults = [new Response("<html>Please log in</html>", { status: 200 })];
    bridge.updateItemCallback(item("a"), null);
    await host.pass(600);
    assert.equal(server.updates.length, 2);
    assert.equal(bridge.cart.items.length, 1);
  });

  it("that waits is still made pointless by a newer one, which has its own number", async () => {
    const { server, bridge, host } = await open();
    server.faults = ["lost"];
    bridge.updateItemCallback(item("a", 1), null);
    await turn();
    bridge.updateItemCallback(item("a", 5), item("a", 1));
    await host.pass(600);
    assert.deepEqual(server.updates.map(({ seq }) => seq), [1, 2]);
    assert.deepEqual(server.quantities, { a: 5 });
  });
});

describe("Retry-After", () => {
  it("is obeyed to the second, and is no refusal", async () => {
    const { server, bridge, host, events } = await open();
    server.faults = [problem(429, "Slower.", { "Retry-After": "7" })];
    bridge.updateItemCallback(item("a"), null);
    await turn();
    assert.deepEqual(host.waits(), [7000]);
    await host.pass(6999);
    assert.equal(server.updates.length, 1);
    await host.pass(1);
    assert.equal(server.updates.length, 2);
    assert.ok(!events.some(([name]) => name === "refused"));
  });

  it("holds an update for 20 seconds at most, whatever a proxy says", async () => {
    const { server, bridge, host } = await open();
    server.faults = [problem(503, "Back on Monday.", { "Retry-After": "86400" })];
    bridge.updateItemCallback(item("a"), null);
    await turn();
    assert.deepEqual(host.waits(), [20_000]);
    await host.pass(20_000);
    assert.deepEqual(server.quantities, { a: 1 });
  });

  it("ends when the browser is online again", async () => {
    const { server, bridge, host } = await open();
    server.faults = [problem(503, "Busy.", { "Retry-After": "15" })];
    bridge.updateItemCallback(item("a"), null);
    await turn();
    host.say("online");
    await turn();
    assert.deepEqual(server.quantities, { a: 1 });
  });
});

describe("a refused update", () => {
  it("is reported with its problem, and the server's cart is shown again", async () => {
    const { server, bridge, host, events } = await open();
    bridge.updateItemCallback(item("a", 4), null);
    await host.pass(0);
    events.length = 0;
    bridge.updateItemCallback(item("a", 2.5), item("a", 4));
    await host.pass(0);
    assert.deepEqual(events.map(([name]) => name), ["refused", "notice", "change"]);
    assert.equal(events[0][1].status, 422);
    assert.equal(events[1][1], "That change was refused.");
    assert.equal(events[2][1].items[0].quantity, 4);
    assert.equal(server.requests.at(-1).method, "GET");
  });

  it("does not stop the ones behind it, and settles", async () => {
    const { server, bridge, host } = await open();
    server.faults = [new Response("Forbidden", { status: 403 })];
    bridge.updateItemCallback(item("a"), null);
    bridge.updateItemCallback(item("b"), null);
    const settled = bridge.settled();
    await host.pass(0);
    await settled;
    assert.deepEqual(server.quantities, { b: 1 });
    assert.equal(server.updates.length, 2);
  });

  it("without a problem document is still reported as one", async () => {
    const { server, bridge, host, events } = await open();
    server.faults = [new Response("Payload Too Large", { status: 413 })];
    bridge.updateItemCallback(item("a"), null);
    await host.pass(0);
    assert.deepEqual(events.find(([name]) => name === "refused")[1], { status: 413, title: "Refused" });
  });
});

describe("a cart that may not be read", () => {
  it("is reported to the page, not to the shopper, and not asked for again", async () => {
    const server = new FakeServer();
    server.faults = [problem(403, "Send the header Rokt-Bff: 1.")];
    const { host, events } = await open({ server });
    await host.pass(60_000);
    assert.deepEqual(events.map(([name]) => name), ["refused"]);
    assert.equal(server.requests.length, 1);
  });
});

describe("a reload", () => {
  it("sends what was not answered, with its page and number, before anything new", async () => {
    const server = new FakeServer();
    const first = await open({ server });
    server.faults = ["unheard", ...Array(20).fill("lost")];
    first.bridge.updateItemCallback(item("a", 2), null);
    first.bridge.updateItemCallback(item("b", 1), null);
    await first.host.pass(100);
    const [{ page }] = server.updates;
    server.faults = [];
    server.requests.length = 0;

    const second = await open({ server, host: first.host.reload(server) });
    second.bridge.updateItemCallback(item("c", 1), null);
    await second.host.pass(0);
    await second.host.pass(0);
    assert.deepEqual(server.updates.map(({ page: from, seq, updatedItem }) =>
      [from === page, seq, updatedItem.cartItemId]), [[true, 1, "a"], [true, 2, "b"], [false, 1, "c"]]);
    assert.deepEqual(server.quantities, { a: 2, b: 1, c: 1 });
    assert.equal(server.cart.version, 3, "what had arrived is not applied twice");
  });

  it("leaves nothing to send when all was answered", async () => {
    const server = new FakeServer();
    const first = await open({ server });
    first.bridge.updateItemCallback(item("a"), null);
    await first.host.pass(0);
    server.requests.length = 0;
    await open({ server, host: first.host.reload(server) });
    assert.deepEqual(server.updates, []);
  });

  it("works with damaged storage, and with none", async () => {
    for (const spoil of [
      (host) => host.sessionStorage["rokt-bff:https://shop.test/rokt"] = "{not JSON",
      (host) => { host.sessionStorage.broken = host.localStorage.broken = true; },
      (host) => Object.defineProperty(host, "sessionStorage", { get() { throw new Error("no"); } }),
    ]) {
      const server = new FakeServer();
      const host = new Host(server);
      spoil(host);
      const { bridge } = await open({ server, host });
      bridge.updateItemCallback(item("a"), null);
      await host.pass(0);
      assert.deepEqual(server.quantities, { a: 1 });
    }
  });
});

describe("leaving the page", () => {
  it("sends all that waits at once, kept alive, but not the one in flight again", async () => {
    const { server, bridge, host } = await open();
    server.faults = [new Promise(() => {})];
    for (const id of ["a", "b", "c"]) bridge.updateItemCallback(item(id), null);
    await turn();
    assert.equal(server.updates.length, 1);
    host.say("pagehide");
    await turn();
    assert.deepEqual(server.updates.map(({ seq }) => seq), [1, 2, 3]);
    assert.ok(server.requests.slice(1).every(({ keepalive }) => keepalive));
  });

  it("sends what waits for its next attempt, too", async () => {
    const { server, bridge, host } = await open();
    server.faults = ["lost"];
    bridge.updateItemCallback(item("a"), null);
    await turn();
    host.say("pagehide");
    await turn();
    assert.deepEqual(server.quantities, { a: 1 });
  });

  it("and coming back to it changes nothing twice", async () => {
    const { server, bridge, host } = await open();
    server.faults = ["lost"];
    bridge.updateItemCallback(item("a"), null);
    await turn();
    host.say("pagehide");
    await host.pass(0);
    host.say("visibilitychange");
    await host.pass(1000);
    assert.equal(server.cart.version, 1);
    assert.equal(bridge.cart.version, 1);
  });
});

describe("the cart of another tab", () => {
  // Out of the back-forward cache, too, a page becomes visible (HTML, "reactivate a document").
  it("is seen when the page becomes visible", async () => {
    const { server, host, events } = await open();
    server.hold(item("b", 2));
    events.length = 0;
    host.say("visibilitychange");
    await host.pass(0);
    assert.deepEqual(events.map(([name, cart]) => [name, cart.items.length]), [["change", 1]]);
  });

  it("is not read when the page is hidden, nor when it is shown the first time", async () => {
    const { server, host } = await open();
    host.document.hidden = true;
    host.say("visibilitychange");
    host.say("pageshow", { persisted: false });
    await host.pass(0);
    assert.equal(server.requests.length, 1);
  });

  it("is what refresh resolves with", async () => {
    const { server, bridge } = await open();
    server.hold(item("b", 2));
    assert.equal((await bridge.refresh()).items[0].quantity, 2);
  });

  it("is read anew although an update is in flight when refresh is called", async () => {
    const { server, bridge, host } = await open();
    const answers = [];
    const later = () => new Promise((resolve) => answers.push(resolve));
    server.faults = [later(), later()];
    bridge.updateItemCallback(item("a"), null);
    await turn();
    let refreshed;
    bridge.refresh().then((cart) => { refreshed = cart; });
    answers[0]();
    await host.pass(0);
    assert.equal(refreshed, undefined, "the update's answer may be older than the call");
    server.hold(item("b"));
    answers[1]();
    await host.pass(0);
    assert.equal(refreshed.items.length, 2);
  });

  it("is read once more when refresh is called while it is being read", async () => {
    const server = new FakeServer();
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    const { bridge, host } = await open({ server });
    bridge.refresh();
    answer();
    await host.pass(0);
    assert.equal(server.requests.length, 2);
  });

  it("is read at once, although an attempt was to come later", async () => {
    const { server, bridge, host } = await open();
    server.faults = ["lost"];
    await bridge.refresh();
    await turn();
    bridge.refresh();
    await turn();
    assert.equal(server.requests.length, 3);
    assert.ok(host.waits().length > 0, "no time has gone by");
  });

  it("cannot be read without a network: refresh gives the last one and goes on trying", async () => {
    const { server, bridge, host } = await open();
    server.faults = ["lost"];
    server.hold(item("b", 2));
    assert.deepEqual((await bridge.refresh()).items, []);
    await host.pass(600);
    assert.equal(bridge.cart.items.length, 1);
  });
});

describe("a mistake of the page", () => {
  it("in a listener does not stop the queue", async () => {
    const { server, bridge, host } = await open();
    const seen = [];
    process.setUncaughtExceptionCaptureCallback((error) => seen.push(error.message));
    bridge.addEventListener("change", () => { throw new Error("the page's own"); });
    bridge.updateItemCallback(item("a"), null);
    bridge.updateItemCallback(item("b"), null);
    await host.pass(0);
    process.setUncaughtExceptionCaptureCallback(null);
    assert.deepEqual(server.quantities, { a: 1, b: 1 });
    assert.deepEqual(new Set(seen), new Set(["the page's own"]));
  });

  it("that makes a change within a change ends", async () => {
    const { server, bridge, host } = await open();
    bridge.addEventListener("change", () => bridge.updateItemCallback(item("a", 2), null), { once: true });
    bridge.updateItemCallback(item("a", 1), null);
    await host.pass(0);
    assert.deepEqual(server.quantities, { a: 2 });
  });
});

describe("Rokt's session id", () => {
  it("goes with every update once the selection knows it", async () => {
    const { server, bridge, host } = await open();
    bridge.updateItemCallback(item("a"), null);
    await host.pass(0);
    assert.ok(!("roktSessionId" in server.updates[0]));
    bridge.attach(new Selection(Promise.resolve("r-1")));
    await turn();
    bridge.updateItemCallback(item("b"), null);
    await host.pass(0);
    assert.equal(server.updates[1].roktSessionId, "r-1");
  });

  it("stays with an update that a later page load sends", async () => {
    const server = new FakeServer();
    const first = await open({ server });
    first.bridge.attach(new Selection(Promise.resolve("r-1")));
    await turn();
    server.faults = Array(9).fill("lost");
    first.bridge.updateItemCallback(item("a"), null);
    await turn();
    const second = await open({ server, host: first.host.reload(server) });
    second.bridge.attach(new Selection(Promise.resolve("r-2")));
    await turn();
    server.faults = [];
    server.requests.length = 0;
    second.bridge.updateItemCallback(item("b"), null);
    await second.host.pass(20_000);
    assert.deepEqual(server.updates.map(({ updatedItem, roktSessionId }) =>
      [updatedItem.cartItemId, roktSessionId]), [["a", "r-1"], ["b", "r-2"]]);
  });

  it("may never come", async () => {
    const { server, bridge, host } = await open();
    bridge.attach(new Selection(Promise.reject(new Error("no session"))));
    bridge.updateItemCallback(item("b"), null);
    await host.pass(0);
    assert.deepEqual(server.quantities, { b: 1 });
  });
});
