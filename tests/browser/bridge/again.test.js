import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { FakeServer, item, open, Selection, turn } from "./harness.js";

const asked = ({ sent }) => sent.map(([, { cartItemId, quantity }]) => [cartItemId, quantity]);

/** A page that shows one placement, with a held line of an earlier visit. */
async function shown(held = item("old", 3, { catalogItemId: "x" })) {
  const server = new FakeServer();
  if (held) server.hold(held);
  const page = await open({ server });
  const selection = new Selection();
  page.bridge.attach(selection);
  selection.say("PLACEMENT_INTERACTIVE");
  await turn();
  return { ...page, selection };
}

describe("a placement that is closed and shown again", () => {
  it("is brought to the held quantities, also to those that the first one had", async () => {
    const { server, bridge, selection } = await shown(null);
    selection.change(item("a", 2));
    await turn();
    selection.say("PLACEMENT_CLOSED");
    const second = new Selection();
    bridge.attach(second);
    second.say("PLACEMENT_INTERACTIVE");
    assert.deepEqual(asked(second), [["a", 2]]);
    second.change(item("a", 2));
    await turn();
    assert.equal(server.updates.length, 1, "the echo is no update");
  });

  it("doubles no line, though its ids are new and the page load is the same", async () => {
    const { server, bridge, selection } = await shown(null);
    selection.change(item("a", 2, { catalogItemId: "x" }));
    await turn();
    selection.say("PLACEMENT_CLOSED");
    const second = new Selection();
    bridge.attach(second);
    second.say("PLACEMENT_INTERACTIVE");
    second.change(item("b", 1, { catalogItemId: "x" }));
    await turn();
    assert.deepEqual(server.quantities, { b: 1 });
  });

  it("is restored under the ids that its preselections told", async () => {
    const { server, bridge, selection } = await shown();
    selection.change(item("one", 3, { catalogItemId: "x" }));
    await turn();
    selection.say("PLACEMENT_CLOSED");
    const second = new Selection();
    bridge.attach(second);
    second.change(item("two", 1, { catalogItemId: "x" }));
    await turn();
    second.say("PLACEMENT_INTERACTIVE");
    assert.deepEqual(asked(second), [["two", 3]]);
    assert.deepEqual(server.quantities, { one: 3 });
  });

  it("is the only one that is asked for anything", async () => {
    const { server, host, bridge, selection } = await shown(null);
    selection.say("PLACEMENT_CLOSED");
    const second = new Selection();
    bridge.attach(second);
    second.say("PLACEMENT_INTERACTIVE");
    server.hold(item("a", 2));
    host.say("visibilitychange");
    await turn();
    assert.deepEqual([asked(selection), asked(second)], [[], [["a", 2]]]);
    assert.deepEqual([...bridge.selections], [second]);
  });
});

describe("a second placement beside the first", () => {
  it("hears what was asked for before it listened", async () => {
    const { bridge, selection } = await shown();
    assert.deepEqual(asked(selection), [["old", 3]]);
    const second = new Selection();
    bridge.attach(second);
    second.say("PLACEMENT_INTERACTIVE");
    assert.deepEqual(asked(second), [["old", 3]]);
  });

  it("is waited for while it draws: it would not hear", async () => {
    const { server, host, bridge, selection } = await shown(null);
    const second = new Selection();
    bridge.attach(second);
    server.hold(item("a", 2));
    host.say("visibilitychange");
    await turn();
    assert.deepEqual(asked(selection), []);
    second.say("PLACEMENT_INTERACTIVE");
    assert.deepEqual([asked(selection), asked(second)], [[["a", 2]], [["a", 2]]]);
  });

  it("is waited for 20 seconds at most: its drawing may have failed without a word", async () => {
    const { server, host, bridge, selection } = await shown(null);
    bridge.attach(new Selection());
    server.hold(item("a", 2));
    host.say("visibilitychange");
    await host.pass(19_999);
    assert.deepEqual(asked(selection), []);
    await host.pass(1);
    assert.deepEqual(asked(selection), [["a", 2]]);
  });

  it("that is closed while it draws is waited for no longer", async () => {
    const { server, host, bridge, selection } = await shown(null);
    const second = new Selection();
    bridge.attach(second);
    second.say("PLACEMENT_CLOSED");
    server.hold(item("a", 2));
    host.say("visibilitychange");
    await turn();
    assert.deepEqual(asked(selection), [["a", 2]]);
  });

  it("tells preselections of its own, while a click in the first is the shopper's", async () => {
    const { server, bridge, selection } = await shown(null);
    const second = new Selection();
    bridge.attach(second);
    second.change(item("b"));
    selection.change(item("a"));
    await turn();
    assert.deepEqual(server.updates.map(({ updatedItem, preselected }) =>
      [updatedItem.cartItemId, preselected]), [["b", true], ["a", undefined]]);
  });
});

describe("what optional modules find", () => {
  it("is each selection when it is attached, and all of them later", async () => {
    const { bridge } = await open();
    const told = [];
    bridge.addEventListener("selection", ({ detail }) => told.push(detail));
    const selection = new Selection();
    assert.equal(bridge.attach(selection), selection);
    bridge.attach(selection);
    assert.deepEqual([told, [...bridge.selections]], [[selection], [selection]]);
  });
});
