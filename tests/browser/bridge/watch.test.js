import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { watch } from "../../../static/bridge/bridge.js";
import { FakeServer, item, open, Selection, turn } from "./harness.js";

describe("an SDK that arrives later", () => {
  const launcher = (selection) => ({ selectPlacements: async () => selection });

  it("is found, frozen or not, and the page sees what it would have seen", async () => {
    for (const keep of [(sdk) => sdk, Object.freeze]) {
      const { server, bridge } = await open();
      const window = {};
      watch(bridge, window);
      const selection = new Selection();
      window.Rokt = keep({ createLauncher: async ({ accountId }) => keep({ ...launcher(selection), accountId }) });
      const made = await window.Rokt.createLauncher({ accountId: "1" });
      assert.equal(made.accountId, "1");
      assert.equal(await made.selectPlacements({}), selection);
      selection.change(item("a"));
      await turn();
      assert.equal(server.updates.length, 1);
    }
  });

  it("is subscribed to before the page gets its selection", async () => {
    const { server, bridge } = await open();
    const selection = new Selection();
    const window = { Rokt: { createLauncher: async () => launcher(selection) } };
    watch(bridge, window);
    const made = await window.Rokt.createLauncher({});
    await made.selectPlacements({}).then((found) => found.change(item("a")));
    await turn();
    assert.equal(server.updates.length, 1);
  });

  it("keeps what its methods are called on, private fields and all", async () => {
    class Launcher {
      #selection = new Selection();
      async selectPlacements() { return this.#selection; }
    }
    const { bridge } = await open();
    const window = {};
    watch(bridge, window);
    window.Rokt = { createLauncher: async () => new Launcher() };
    assert.ok((await (await window.Rokt.createLauncher()).selectPlacements()) instanceof Selection);
  });

  it("may be SDK+, or the legacy one, or first a stub and then the real one", async () => {
    const { server, bridge } = await open();
    const window = { mParticle: {} };
    watch(bridge, window);
    const plus = new Selection();
    window.mParticle.Rokt = launcher(plus);
    await window.mParticle.Rokt.selectPlacements({});
    const callbacks = [];
    window.rokt = { cart: { onUpdateItem: (callback) => callbacks.push(callback), setItems() {} } };
    window.mParticle = { Rokt: launcher(new Selection()) };
    await window.mParticle.Rokt.selectPlacements({});
    plus.change(item("a"));
    callbacks[0](item("b"), null);
    await turn();
    assert.deepEqual(server.updates.map(({ updatedItem }) => updatedItem.cartItemId), ["a", "b"]);
  });

  it("may be a stub that is filled in steps, by code that keeps its own reference", async () => {
    const { server, bridge } = await open();
    const window = {};
    watch(bridge, window);
    const selection = new Selection();
    const stub = (window.Rokt = {});
    assert.deepEqual(Object.keys(stub), []);
    stub.createLauncher = async () => launcher(selection);
    const made = await stub.createLauncher({});
    assert.equal(await made.selectPlacements({}), selection);
    selection.change(item("a"));
    await turn();
    assert.equal(server.updates.length, 1);
  });

  it("may replace the method of a stub that was there before", async () => {
    const { server, bridge } = await open();
    const selection = new Selection();
    const window = { Rokt: { createLauncher: async () => { throw new Error("the stub's"); } } };
    watch(bridge, window);
    window.Rokt.createLauncher = async () => launcher(selection);
    await (await window.Rokt.createLauncher({})).selectPlacements({});
    selection.change(item("a"));
    await turn();
    assert.equal(server.updates.length, 1);
  });

  it("may be mParticle's snippet: an empty Rokt, then its methods, then the real one", async () => {
    const { server, bridge } = await open();
    const window = {};
    watch(bridge, window);
    const queued = [];
    window.mParticle = window.mParticle || {};
    window.mParticle.Rokt = {};
    for (const name of ["selectPlacements"]) {
      window.mParticle.Rokt[name] = (...args) => new Promise((done) => queued.push({ args, done }));
    }
    const asked = window.mParticle.Rokt.selectPlacements({ identifier: "checkout" });
    const selection = new Selection();
    class Manager { // the real one has its methods on a class, and plays the queue back
      async selectPlacements() { return selection; }
    }
    window.mParticle.Rokt = new Manager();
    const [{ args, done }] = queued;
    done(window.mParticle.Rokt.selectPlacements(...args));
    assert.equal(await asked, selection);
    selection.change(item("a"));
    await turn();
    assert.equal(server.updates.length, 1);
  });

  it("may bring the legacy cart later, in steps or not at all", async () => {
    const { server, bridge } = await open();
    const window = { rokt: {} };
    watch(bridge, window);
    const callbacks = [];
    window.rokt.cart = { onUpdateItem: (callback) => callbacks.push(callback), setItems() {} };
    callbacks[0](item("a"), null);
    await turn();
    assert.equal(server.updates.length, 1);
    assert.equal(window.rokt.cart.onUpdateItem.length, 1, "the page has the cart itself");
  });

  it("is called on itself, private fields and all, frozen or not", async () => {
    class Sdk {
      #made = 0;
      #kept = "kept";
      async createLauncher() { this.#made += 1; return this; }
      async selectPlacements() { return new Selection(); }
      get made() { return this.#made; }
      say() { return this.#kept; }
    }
    for (const keep of [(sdk) => sdk, Object.freeze]) {
      const { bridge } = await open();
      const window = {};
      watch(bridge, window);
      window.Rokt = keep(new Sdk());
      const made = await window.Rokt.createLauncher();
      assert.equal(window.Rokt.made, 1);
      assert.equal(window.Rokt.say(), "kept");
      assert.ok(await made.selectPlacements() instanceof Selection);
      assert.equal(bridge.selections.size, 1);
    }
  });

  it("cannot be written to where it is frozen, and is otherwise the page's to change", async () => {
    const { bridge } = await open();
    const window = { Rokt: { version: 1 } };
    watch(bridge, window);
    window.Rokt.version = 2;
    window.Rokt.more = true;
    assert.deepEqual([window.Rokt.version, window.Rokt.more], [2, true]);
    assert.deepEqual(Object.keys(window.Rokt), ["version", "more"]);
  });

  it("may fail: the page sees the failure, and no other", async () => {
    const { bridge } = await open({ server: new FakeServer() });
    const window = {};
    watch(bridge, window);
    window.Rokt = { createLauncher: async () => { throw new Error("no account"); } };
    await assert.rejects(window.Rokt.createLauncher(), /no account/);
    window.Rokt = undefined;
    assert.equal(window.Rokt, undefined);
  });
});
