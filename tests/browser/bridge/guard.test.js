import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { guard } from "../../../static/bridge/bridge-guard.js";
import { item, open } from "./harness.js";

/** What the guard needs of a document: listeners, and elements that find the nearest match. */
class Document extends EventTarget {
  /** As the browser would: the document's capturing listeners, then the element's own. */
  say(element, type, detail = {}) {
    const event = Object.assign(new Event(type, { cancelable: true }), detail);
    Object.defineProperty(event, "target", { value: element });
    let isStopped = false;
    const stop = event.stopImmediatePropagation.bind(event);
    event.stopImmediatePropagation = () => { isStopped = true; stop(); };
    this.dispatchEvent(event);
    if (!isStopped) element.hear(event);
    return event;
  }
}

class Element {
  heard = [];

  constructor(document, selector) {
    this.document = document;
    this.selector = selector;
  }

  closest(selector) {
    return selector === this.selector ? this : null;
  }

  say(type, detail) {
    return this.document.say(this, type, detail);
  }

  hear(event) {
    if (!event.defaultPrevented) this.heard.push(event.submitter ?? event.type);
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

/** A page with one guarded element, which comes into the document after the guard. */
async function guarded(Kind = Element, limit = undefined) {
  const page = await open();
  const document = new Document();
  page.host.document = document;
  guard(page.bridge, "#continue", limit, page.host);
  return { ...page, document, element: new Kind(document, "#continue") };
}

const offline = (server) => { server.faults = Array(99).fill("lost"); };

describe("the shop's “continue”", () => {
  it("goes through after a task when nothing waits", async () => {
    const { host, element } = await guarded();
    assert.ok(element.say("click").defaultPrevented);
    await host.pass(0);
    assert.deepEqual(element.heard, ["click"]);
  });

  it("waits for the message of a click that is still on its way", async () => {
    const { server, bridge, host, element } = await guarded();
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    element.click();
    bridge.updateItemCallback(item("a"), null); // the placement's own click was before
    await host.pass(2000);
    assert.deepEqual(element.heard, []);
    answer();
    await host.pass(0);
    assert.deepEqual(element.heard, ["click"]);
    assert.deepEqual(server.quantities, { a: 1 });
  });

  it("is held until the server has everything, then pressed once", async () => {
    const { server, bridge, host, element } = await guarded();
    let answer;
    server.faults = [new Promise((resolve) => { answer = resolve; })];
    bridge.updateItemCallback(item("a"), null);
    assert.ok(element.say("click").defaultPrevented);
    assert.ok(element.say("click").defaultPrevented, "an impatient second press");
    await host.pass(2999);
    assert.deepEqual(element.heard, []);
    answer();
    await host.pass(0);
    assert.deepEqual(element.heard, ["click"]);
  });

  it("is held for three seconds at most", async () => {
    const { server, bridge, host, element } = await guarded();
    offline(server);
    bridge.updateItemCallback(item("a"), null);
    element.click();
    await host.pass(2999);
    assert.deepEqual(element.heard, []);
    await host.pass(1);
    assert.deepEqual(element.heard, ["click"]);
  });

  it("as a form is submitted with the button that was pressed", async () => {
    const { server, bridge, host, element } = await guarded(Form, 500);
    offline(server);
    bridge.updateItemCallback(item("a"), null);
    element.say("submit", { submitter: "pay" });
    await host.pass(499);
    assert.deepEqual(element.heard, []);
    await host.pass(1);
    assert.deepEqual(element.heard, ["pay"]);
  });

  it("as a form leaves the clicks inside it alone", async () => {
    const { element } = await guarded(Form);
    assert.equal(element.say("click").defaultPrevented, false);
  });

  it("is held again the next time", async () => {
    const { server, bridge, host, element } = await guarded(Element, 100);
    offline(server);
    bridge.updateItemCallback(item("a"), null);
    for (let time = 0; time < 2; time += 1) {
      assert.ok(element.say("click").defaultPrevented);
      await host.pass(100);
    }
    assert.deepEqual(element.heard, ["click", "click"]);
  });

  for (const how of [{ ctrlKey: true }, { metaKey: true }, { shiftKey: true }, { altKey: true }, { button: 1 }]) {
    it(`opens elsewhere at once (${Object.keys(how)}): this page stays`, async () => {
      const { server, bridge, element } = await guarded();
      offline(server);
      bridge.updateItemCallback(item("a"), null);
      assert.equal(element.say("click", how).defaultPrevented, false);
    });
  }

  it("is no other element, and each guarded one is held by itself", async () => {
    const { server, bridge, host, document, element } = await guarded();
    offline(server);
    bridge.updateItemCallback(item("a"), null);
    const other = new Element(document, "#help");
    assert.equal(other.say("click").defaultPrevented, false);
    const second = new Element(document, "#continue");
    element.click();
    second.click();
    await host.pass(3000);
    assert.deepEqual([element.heard, second.heard], [["click"], ["click"]]);
  });

  it("may be given as an element", async () => {
    const { bridge, host } = await open();
    const button = Object.assign(new EventTarget(), { click() { this.dispatchEvent(new Event("click")); } });
    guard(bridge, button, 3000, host);
    const heard = [];
    button.addEventListener("click", () => heard.push("click"));
    button.click();
    assert.deepEqual(heard, []);
    await host.pass(0);
    assert.deepEqual(heard, ["click"]);
  });

  it("is guarded by the bridge itself, which loads the guard when it is asked to", async () => {
    const { bridge } = await open();
    const listened = [];
    await bridge.guard({ addEventListener: (type) => listened.push(type) });
    assert.deepEqual(listened, ["click", "submit"]);
  });
});
