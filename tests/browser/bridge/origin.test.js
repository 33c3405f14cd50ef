import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { createBridge } from "../../../static/bridge/bridge.js";
import { FakeServer, Host, item, open, problem, turn } from "./harness.js";

const partner = (options = {}) => open({ origin: "https://partner.test", ...options });
const said = (server) => server.requests.map(({ path, headers }) =>
  [path.slice("/rokt/".length), headers.Authorization?.slice("Bearer ".length)]);

describe("a page on another origin", () => {
  it("has no session before its first update, then one with a handle and no cookies", async () => {
    const { server, bridge } = await partner();
    assert.equal(bridge.handle, null);
    bridge.updateItemCallback(item("a"), null);
    await turn();
    assert.deepEqual(said(server), [["session", undefined], ["cart/updates", "handle-1"]]);
    const sent = server.requests.map(({ credentials }) => credentials ?? "same-origin");
    assert.ok(sent.every((credentials) => credentials === "same-origin"), "so none elsewhere");
    assert.ok(server.requests.every(({ headers }) => headers["Rokt-Bff"] === "1"));
    assert.equal(bridge.handle, "handle-1");
    assert.equal(bridge.cart.cartId, "c-handle-1");
  });

  it("asks nothing without a handle and an update: its cart is the empty one", async () => {
    const { server, bridge, host, events } = await partner();
    const empty = { cartId: null, version: 0, items: [], totals: {}, removed: [] };
    assert.deepEqual(events, [["change", empty]]);
    assert.deepEqual(await bridge.refresh(), empty);
    host.say("visibilitychange");
    host.say("pagehide");
    await host.pass(60_000);
    assert.deepEqual(server.requests, []);
  });

  it("sees the cart that another tab starts", async () => {
    const server = new FakeServer();
    const first = await partner({ server });
    const second = await partner({ server, host: first.host.tab(server) });
    first.bridge.updateItemCallback(item("a", 2), null);
    await first.host.pass(0);
    assert.equal(second.bridge.cart.items[0].quantity, 2);
    assert.equal(second.bridge.handle, first.bridge.handle);
  });

  it("left during its first update keeps that update, and sends none without a handle", async () => {
    const { server, bridge, host } = await partner();
    server.faults = [new Promise(() => {})]; // the session is being started
    bridge.updateItemCallback(item("a", 2), null);
    bridge.updateItemCallback(item("b"), null);
    await turn();
    host.say("pagehide");
    await turn();
    assert.deepEqual(said(server), [["session", undefined]]);
    server.handles.delete("handle-1");
    const next = await partner({ server, host: host.reload(server) });
    await next.host.pass(0);
    assert.deepEqual(server.quantities, { a: 2, b: 1 });
  });

  it("left while its first update is under way sends the others with the handle, that one not again", async () => {
    const { server, bridge, host } = await partner();
    const ok = new Response(JSON.stringify({ handle: "handle-1", cart: {} }));
    server.handles.set("handle-1", server.handles.get("cookie"));
    server.faults = [ok, new Promise(() => {})];
    bridge.updateItemCallback(item("a", 2), null);
    bridge.updateItemCallback(item("b"), null);
    await turn();
    host.say("pagehide");
    await turn();
    assert.deepEqual(said(server), [["session", undefined],
      ["cart/updates", "handle-1"], ["cart/updates", "handle-1"]]);
    assert.deepEqual(server.updates.map(({ seq }) => seq), [1, 2]);
  });

  it("keeps its handle over a reload, and shares it between tabs", async () => {
    const server = new FakeServer();
    const first = await partner({ server });
    const second = await partner({ server, host: first.host.tab(server) });
    first.bridge.updateItemCallback(item("a"), null);
    await turn();
    second.bridge.updateItemCallback(item("b"), null);
    await turn();
    assert.deepEqual(server.quantities, { a: 1, b: 1 });
    assert.equal(second.bridge.handle, first.bridge.handle);
    const third = await partner({ server, host: first.host.reload(server) });
    assert.equal(third.bridge.cart.items.length, 2);
  });

  for (const [where, spoil] of [
    ["", () => {}],
    [" where there are no locks (plain http)", (host) => { host.navigator = {}; }],
  ]) {
    it(`lets two tabs that start at once end with one handle${where}`, async () => {
      const server = new FakeServer();
      const host = new Host(server, "https://partner.test");
      const other = host.tab(server);
      spoil(host);
      spoil(other);
      const first = await partner({ server, host });
      const second = await partner({ server, host: other });
      first.bridge.updateItemCallback(item("a"), null);
      second.bridge.updateItemCallback(item("b"), null);
      await turn();
      assert.equal(second.bridge.handle, first.bridge.handle);
      const cart = server.handles.get(first.bridge.handle);
      assert.deepEqual(cart.items.map(({ cartItemId }) => cartItemId).sort(), ["a", "b"]);
    });
  }

  it("starts one session for two tabs, not two of which one is lost", async () => {
    const server = new FakeServer();
    const first = await partner({ server });
    const second = await partner({ server, host: first.host.tab(server) });
    first.bridge.updateItemCallback(item("a"), null);
    second.bridge.updateItemCallback(item("b"), null);
    await turn();
    assert.equal(server.requests.filter(({ path }) => path.endsWith("/session")).length, 1);
  });

  it("works without storage for as long as the page lives", async () => {
    const server = new FakeServer();
    const host = new Host(server, "https://partner.test");
    host.localStorage.broken = host.sessionStorage.broken = true;
    const { bridge } = await partner({ server, host });
    for (const id of ["a", "b"]) {
      bridge.updateItemCallback(item(id), null);
      await turn();
    }
    assert.deepEqual(server.quantities, { a: 1, b: 1 });
    assert.equal(bridge.handle, "handle-1");
  });

  it("starts one new session when its handle has lapsed, and sends the update there", async () => {
    const { server, bridge, host, events } = await partner();
    bridge.updateItemCallback(item("a"), null);
    await turn();
    server.handles.delete("handle-1");
    server.handles.set("other", server.handles.get("cookie"));
    bridge.updateItemCallback(item("b"), null);
    await host.pass(1000);
    assert.deepEqual(server.quantities, { b: 1 });
    assert.notEqual(bridge.handle, "handle-1");
    assert.ok(!events.some(([name]) => name === "refused"));
  });

  it("takes a second 401 for a refusal", async () => {
    const { server, bridge, host, events } = await partner();
    bridge.updateItemCallback(item("a"), null);
    await turn();
    const ok = () => new Response(JSON.stringify({ handle: "x", cart: {} }));
    server.faults = [problem(401, "No."), ok(), problem(401, "No.")];
    bridge.updateItemCallback(item("b"), null);
    await host.pass(1000);
    assert.equal(events.find(([name]) => name === "refused")[1].status, 401);
  });

  it("that is not allowed is refused, with the update, and asks no more", async () => {
    const { server, bridge, host, events } = await partner();
    server.faults = [problem(403, "This origin is not allowed.")];
    bridge.updateItemCallback(item("a"), null);
    await host.pass(60_000);
    assert.equal(events.find(([name]) => name === "refused")[1].status, 403);
    assert.equal(server.requests.filter(({ path }) => path.endsWith("/session")).length, 1);
  });

  it("waits when a session cannot be started yet", async () => {
    const { server, bridge, host } = await partner();
    server.faults = ["lost", problem(503, "Busy.")];
    bridge.updateItemCallback(item("a"), null);
    await host.pass(5000);
    assert.deepEqual(server.quantities, { a: 1 });
  });

  it("may bring a handle of its own", async () => {
    const server = new FakeServer();
    server.handles.set("given", server.handles.get("cookie"));
    const host = new Host(server);
    host.localStorage["rokt-bff:https://shop.test/rokt"] = '"of yesterday"';
    const { bridge } = await open({ server, host, handle: "given" });
    assert.deepEqual(said(server), [["cart", "given"]]);
    assert.equal(bridge.handle, "given");
  });
});

describe("a page on the shop's own origin", () => {
  it("has no handle, and sends none that lies in the storage", async () => {
    const server = new FakeServer();
    const host = new Host(server);
    host.localStorage["rokt-bff:https://shop.test/rokt"] = '"stray"';
    const { bridge } = await open({ server, host });
    assert.equal(bridge.handle, null);
    assert.deepEqual(said(server), [["cart", undefined]]);
  });

  it("may name its base by a path, with or without a slash at the end", async () => {
    for (const base of ["/rokt", "/rokt/", "https://shop.test/rokt"]) {
      const server = new FakeServer();
      createBridge({ base, host: new Host(server) });
      await turn();
      assert.equal(server.requests[0].address, "https://shop.test/rokt/cart");
    }
  });
});
