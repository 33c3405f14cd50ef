import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { showNotices, start, textFor, TEXTS } from "../../../static/bridge/bridge-notices.js";
import { FakeServer, item, open, problem, Selection, turn } from "./harness.js";

/** What the notices need of an element and a document. */
class Element {
  attributes = {};
  children = [];
  parent = null;

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  append(child) {
    child.remove();
    child.parent = this;
    this.children.push(child);
  }

  remove() {
    if (this.parent) this.parent.children = this.parent.children.filter((child) => child !== this);
  }

  get texts() {
    return this.children.map(({ textContent }) => textContent);
  }
}

const gone = { available: 0, reason: "sold_out", status: "rejected" };
const partly = { available: 2, reason: "partly_reserved", status: "reserved" };

/** A page with a placement and a region; `grant` is what the next reserve makes of every line. */
async function telling({ server = new FakeServer(), lang = "en", ...options } = {}) {
  const page = await open({ server });
  const region = new Element();
  const document = {
    documentElement: { lang },
    createElement: () => new Element(),
    querySelector: (selector) => (selector === "#notices" ? region : null),
  };
  const selection = new Selection();
  page.bridge.attach(selection);
  selection.say("PLACEMENT_INTERACTIVE");
  const host = { document };
  showNotices(page.bridge, region, { host, ...options });
  const reserve = async (grant) => {
    server.reserve = (cart) => {
      cart.items = cart.items.map((line) => ({ ...line, ...grant }));
      return {};
    };
    page.bridge.reserve();
    await page.host.pass(0);
  };
  const alerts = () => selection.sent.filter(([name]) => name.endsWith("ALERT"));
  return { ...page, server, region, selection, reserve, alerts };
}

describe("the live region", () => {
  it("is one before there is text in it", async () => {
    const { region } = await telling();
    assert.deepEqual(region.attributes, { role: "status", "aria-live": "polite", "aria-atomic": "false" });
    assert.deepEqual(region.texts, []);
  });

  it("says what was taken back, and no more once the item is in order again", async () => {
    const { region, selection, reserve } = await telling();
    selection.change(item("Parking", 3));
    await turn();
    await reserve(partly);
    assert.deepEqual(region.texts, ["Only 2 of 3 × Parking are available."]);
    selection.change(item("Parking", 2), item("Parking", 3)); // our own ask
    await turn();
    assert.equal(region.texts.length, 1);
    selection.change(item("Parking", 1), item("Parking", 2));
    await turn();
    assert.deepEqual(region.texts, []);
  });

  it("has one line an item, the newest last", async () => {
    const { region, selection, reserve } = await telling();
    for (const name of ["A", "B"]) selection.change(item(name, 3));
    await turn();
    await reserve(gone);
    assert.deepEqual(region.texts, ["A is sold out. It is not in your order.",
      "B is sold out. It is not in your order."]);
    await reserve({ ...gone, reason: "rejected" });
    assert.deepEqual(region.texts.length, 2);
  });

  it("says what was taken back on an earlier page, also when it comes later than the cart", async () => {
    const server = new FakeServer();
    server.hold(item("Parking", 3), 3, gone);
    const { region } = await telling({ server });
    assert.deepEqual(region.texts, ["Parking is sold out. It is not in your order."]);
  });

  it("says that a change was refused, until the next one is made", async () => {
    const { server, region, selection } = await telling();
    server.faults = [problem(422, "No.")];
    selection.change(item("a", 9));
    await turn();
    assert.deepEqual(region.texts, [TEXTS.refused]);
    selection.change(item("b", 1));
    await turn();
    assert.deepEqual(region.texts, []);
  });

  it("speaks as the page does: texts, and prices in its language", async () => {
    const texts = { price_changed: "{name} kostet jetzt {price}.", refused: "Geht nicht." };
    const { region, selection, reserve } = await telling({ lang: "de", texts });
    selection.change(item("Parken", 3));
    await turn();
    await reserve({ available: 0, reason: "price_changed", lockedPrice: "15.00" });
    assert.match(region.texts[0], /^Parken kostet jetzt 15,00\s\$\.$/);
    assert.equal(TEXTS.refused, "That change could not be made.", "the next page has its own");
  });

  it("is named by a selector in the tag, and a wrong one is said aloud", async () => {
    const { bridge } = await open();
    const region = new Element();
    const querySelector = (selector) => (selector === "#here" ? region : null);
    const host = { document: { querySelector, documentElement: {} } };
    start(bridge, "#here", { host });
    assert.equal(region.attributes.role, "status");
    assert.throws(() => start(bridge, "#there", { host }), /#there/);
  });
});

describe("a text", () => {
  const line = { name: "Parking", quantity: 3, available: 2, unitPrice: "12.50", currency: "USD" };

  it("is there for every reason that the server gives of an item", () => {
    for (const code of ["sold_out", "rejected", "partly_reserved", "price_changed", "currency_changed"]) {
      assert.match(textFor(code, line, TEXTS, "none"), /Parking/);
    }
  });

  it("of an unknown reason is the bridge's own", () => {
    assert.equal(textFor("lost_in_space", line, TEXTS, "Parking: lost in space"), "Parking: lost in space");
  });

  it("leaves a hole alone that nothing is known for, and takes a currency that is none", () => {
    assert.equal(textFor("x", { ...line, currency: "$" }, { x: "{nobody} {price}" }, ""), "{nobody} 12.50 $");
  });
});

describe("alerts in the placement", () => {
  it("go along, and go again", async () => {
    const { selection, reserve, alerts } = await telling();
    selection.change(item("a", 3));
    await turn();
    await reserve(gone);
    const [[name, { id, filter, message }]] = alerts();
    assert.deepEqual([name, filter, message.title],
      ["UPSERT_ALERT", { cartItemIds: ["a"] }, "a is sold out. It is not in your order."]);
    selection.change(null, item("a", 0));
    selection.change(item("a", 1));
    await turn();
    assert.deepEqual(alerts().at(-1), ["DELETE_ALERT", { id }]);
  });

  it("are told to a placement that is drawn later", async () => {
    const server = new FakeServer();
    server.hold(item("a", 3), 3, gone);
    const { bridge } = await telling({ server });
    const second = new Selection();
    bridge.attach(second);
    assert.deepEqual(second.sent, []);
    second.say("PLACEMENT_INTERACTIVE");
    assert.ok(second.sent.some(([name]) => name === "UPSERT_ALERT"));
  });

  it("cost nothing where the placement does not know them", async () => {
    const { region, selection, bridge, reserve } = await telling();
    bridge.attach({ on() { throw new Error("unknown message"); }, send() { throw new Error("no"); } });
    selection.change(item("a", 3));
    await turn();
    selection.deaf = true;
    await reserve(gone);
    assert.equal(region.texts.length, 1);
  });
});
