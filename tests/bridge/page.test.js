import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { watch } from "../../static/bridge.js";
import { FakeServer, item, open, Selection, turn } from "./harness.js";

/** What the bridge needs of a button or a form. */
class Element extends EventTarget {
  say(type, detail = {}) {
    const event = Object.assign(new Event(type, { cancelable: true }), detail);
    this.dispatchEvent(event);
    return event;
  }

  click() {
    this.say("click");
  }
}

class Form extends Element {
  requestSubmit(submitter) {
    this.say("submit", { submitter });
  }
}

/** A guarded element and what gets through to the page's own listener, which comes second: that a
 * capturing listener is always first is the browser's doing. */
async function guarded(Kind, limit) {
  const page = await open();
  const element = new Kind();
  page.bridge.guard(element, limit);
  const through = [];
  for (const type of ["click", "submit"]) {
    element.addEventListener(type, (event) => through.push(event.submitter ?? type));
  }
  return { ...page, element, through };
}

describe("the shop's “continue”", () => {
  it("goes through at once when nothing waits", async () => {
    const { element } = await guarded(Element);
    assert.equal(element.say("click").defaultPrevented, false);
  });

  it("is held until the server has everything, then pressed once", async () => {
    const { server, bridge, host, element, through } = await guarded(Element);
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    bridge.updateItemCallback(item("a"), null);
    assert.ok(element.say("click").defaultPrevented);
    assert.ok(element.say("click").defaultPrevented, "an impatient second press");
    await host.pass(2999);
    assert.deepEqual(through, []);
    answer();
    await host.pass(0);
    assert.deepEqual(through, ["click"]);
  });

  it("is held for three seconds at most", async () => {
    const { server, bridge, host, element, through } = await guarded(Element);
    server.faults = Array(99).fill("lost");
    bridge.updateItemCallback(item("a"), null);
    element.click();
    await host.pass(2999);
    assert.deepEqual(through, []);
    await host.pass(1);
    assert.deepEqual(through, ["click"]);
  });

  it("as a form is submitted with the button that was pressed", async () => {
    const { server, bridge, host, element, through } = await guarded(Form, 500);
    server.faults = Array(99).fill("lost");
    bridge.updateItemCallback(item("a"), null);
    element.say("submit", { submitter: "pay" });
    await host.pass(499);
    assert.deepEqual(through, []);
    await host.pass(1);
    assert.deepEqual(through, ["pay"]);
  });

  it("is held again the next time", async () => {
    const { server, bridge, host, element } = await guarded(Element, 100);
    server.faults = Array(99).fill("lost");
    bridge.updateItemCallback(item("a"), null);
    for (let time = 0; time < 2; time += 1) {
      assert.ok(element.say("click").defaultPrevented);
      await host.pass(100);
    }
  });
});

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
