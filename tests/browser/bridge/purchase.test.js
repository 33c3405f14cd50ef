import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { createPurchases, start } from "../../../static/bridge/bridge-purchase.js";
import { FakeServer, Host, item, open, Selection, turn } from "./harness.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const URL_OF_SHOP = "/buy-again";
const request = (...ids) => ({
  upsellItems: ids.map((id) => item(id)), totalUpsellPrice: 12.5 * ids.length, currency: "USD",
});
const bought = { paid: true, success: true, orderConfirmationId: "o-1", upsellConfirmationId: "u-1" };
const json = (status, body) => new Response(JSON.stringify(body), { status });

/** A thanks page; `answers` are what the shop's route says in turn: a Response, an Error, a promise. */
async function thanks({ answers = [], ...options } = {}) {
  const page = await open(options);
  const posts = [];
  const bff = page.host.fetch;
  page.host.fetch = async (url, sent) => {
    if (url !== URL_OF_SHOP) return bff(url, sent);
    posts.push({ ...sent, body: JSON.parse(sent.body) });
    const answer = await answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const selection = new Selection();
  page.bridge.attach(selection);
  createPurchases(page.bridge, { url: URL_OF_SHOP, host: page.host });
  const press = (body) => selection.say("CART_ITEM_INSTANT_PURCHASE", body);
  const told = () => selection.sent.filter(([name]) => name === "CART_ITEM_INSTANT_PURCHASE_RESPONSE")
    .map(([, body]) => body);
  return { ...page, answers, posts, selection, press, told };
}

describe("a press", () => {
  it("is posted to the shop with an id of its own, and the placement gets what the shop says", async () => {
    const { posts, press, told } = await thanks({ answers: [json(200, bought)] });
    press(request("a", "b"));
    await turn();
    const [{ method, headers, credentials, keepalive, signal, body }] = posts;
    assert.deepEqual([method, credentials, keepalive], ["POST", "same-origin", true]);
    assert.deepEqual(headers, { "Rokt-Bff": "1", "Content-Type": "application/json" });
    assert.ok(signal instanceof AbortSignal);
    const { purchaseId, ...rest } = body;
    assert.match(purchaseId, UUID);
    assert.deepEqual(rest, request("a", "b"));
    assert.deepEqual(told(), [{ ...request("a", "b"), ...bought }]);
  });

  it("carries the handle of a page on another origin", async () => {
    const server = new FakeServer();
    server.handles.set("given", server.handles.get("cookie"));
    const host = new Host(server, "https://partner.test");
    const { posts, press } = await thanks({ server, host, handle: "given", answers: [json(200, bought)] });
    press(request("a"));
    await turn();
    assert.equal(posts[0].headers.Authorization, "Bearer given");
  });

  it("is no update of the cart", async () => {
    const { server, press } = await thanks({ answers: [json(200, bought)] });
    press(request("a"));
    await turn();
    assert.deepEqual(server.updates, []);
  });

  it("told twice while it is under way is sent once, and answered once", async () => {
    let answer;
    const { posts, press, told } = await thanks({ answers: [new Promise((done) => { answer = done; })] });
    press(request("a"));
    press(request("a"));
    await turn();
    assert.equal(posts.length, 1);
    answer(json(200, bought));
    await turn();
    assert.equal(told().length, 1);
  });

  it("on something else meanwhile is sent at once", async () => {
    const { posts, press } = await thanks({ answers: [new Promise(() => {}), json(200, bought)] });
    press(request("a"));
    press(request("b"));
    await turn();
    assert.deepEqual(posts.map(({ body }) => body.upsellItems[0].cartItemId), ["a", "b"]);
    assert.notEqual(posts[0].body.purchaseId, posts[1].body.purchaseId);
  });

  it("after the answer is another purchase", async () => {
    const { posts, press } = await thanks({ answers: [json(200, bought), json(200, bought)] });
    for (let time = 0; time < 2; time += 1) {
      press(request("a"));
      await turn();
    }
    assert.notEqual(posts[0].body.purchaseId, posts[1].body.purchaseId);
  });

  it("tells the page as well", async () => {
    const { bridge, press } = await thanks({ answers: [json(200, bought)] });
    const heard = [];
    bridge.addEventListener("purchase", ({ detail }) => heard.push(detail.success));
    press(request("a"));
    await turn();
    assert.deepEqual(heard, [true]);
  });

  it("without items is answered, and not sent", async () => {
    const { posts, press, told } = await thanks();
    for (const body of [undefined, {}, { upsellItems: null }, { upsellItems: [] }]) {
      press(body);
      await turn();
    }
    assert.deepEqual(posts, []);
    assert.deepEqual(told().map(({ success, reason }) => [success, reason]),
      Array(4).fill([false, "refused"]));
  });
});

describe("what the shop declines", () => {
  for (const status of [200, 402]) {
    it(`is told with the shop's reason, whether it says so with ${status}`, async () => {
      const no = { paid: false, success: false, reason: "declined" };
      const { press, told } = await thanks({ answers: [json(status, no)] });
      press(request("a"));
      await turn();
      assert.deepEqual(told(), [{ ...request("a"), ...no }]);
    });
  }

  it("is “refused” where the shop gives a problem instead", async () => {
    const { posts, press, told } = await thanks({ answers: [json(403, { title: "No", status: 403 })] });
    press(request("a"));
    await turn();
    assert.equal(posts.length, 1);
    assert.deepEqual(told(), [{ ...request("a"), paid: false, success: false, reason: "refused" }]);
  });
});

describe("a lost answer", () => {
  const lost = () => new TypeError("Failed to fetch");

  it("is asked for again with the same id", async () => {
    const answers = [lost(), json(503, {}), json(200, bought)];
    const { host, posts, press, told } = await thanks({ answers });
    press(request("a"));
    await host.pass(4000);
    assert.equal(new Set(posts.map(({ body }) => body.purchaseId)).size, 1);
    assert.equal(posts.length, 3);
    assert.deepEqual(told().map(({ success }) => success), [true]);
  });

  it("that never comes is told, and the next press is the same purchase: nobody pays twice", async () => {
    const { host, posts, press, told, answers } = await thanks({ answers: [lost(), lost(), lost()] });
    press(request("a"));
    await host.pass(60_000);
    assert.deepEqual(told(), [{ ...request("a"), paid: false, success: false, reason: "network" }]);
    answers.push(json(200, bought));
    press(request("a"));
    await turn();
    assert.equal(posts.at(-1).body.purchaseId, posts[0].body.purchaseId);
    assert.equal(told().at(-1).success, true);
  });

  it("that is too late is told as that", async () => {
    const late = new DOMException("The operation timed out.", "TimeoutError");
    const { posts, press, told } = await thanks({ answers: [late] });
    press(request("a"));
    await turn();
    assert.equal(posts.length, 1);
    assert.equal(told()[0].reason, "timeout");
  });

  it("is what a cut one is", async () => {
    const { host, posts, press } = await thanks({
      answers: [new Response('{"success": tr', { status: 200 }), json(200, bought)],
    });
    press(request("a"));
    await host.pass(1000);
    assert.equal(posts.length, 2);
  });
});

describe("selections", () => {
  it("that come later are heard too, each once", async () => {
    const { bridge, posts, answers } = await thanks();
    const second = new Selection();
    bridge.attach(second);
    bridge.attach(second);
    answers.push(json(200, bought));
    second.say("CART_ITEM_INSTANT_PURCHASE", request("a"));
    await turn();
    assert.equal(posts.length, 1);
    assert.ok(second.sent.some(([name]) => name === "CART_ITEM_INSTANT_PURCHASE_RESPONSE"));
  });

  it("that are closed meanwhile, or know no such message, do no harm", async () => {
    const { bridge, selection, press, posts, answers } = await thanks();
    bridge.attach({ on() { throw new Error("unknown message"); } });
    answers.push(json(200, bought));
    selection.deaf = true;
    press(request("a"));
    await turn();
    assert.equal(posts.length, 1);
  });

  it("are found by the tag's attribute as well", async () => {
    const { bridge } = await open();
    const selection = new Selection();
    bridge.attach(selection);
    let isHeard = false;
    selection.on = () => ({ subscribe() { isHeard = true; } });
    start(bridge, URL_OF_SHOP);
    assert.ok(isHeard);
  });
});
