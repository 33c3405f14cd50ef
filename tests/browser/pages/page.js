// A checkout page's own code. How SDK and bridge are brought together is named by ?sdk=…
const query = new URLSearchParams(location.search);
const sdk = query.get("sdk");
const { bff } = document.documentElement.dataset;

window.heard = { change: [], refused: [], notice: [] };

/** Notes all that the bridge tells, and what it asks of a placement. */
const listen = (bridge) => {
  window.bridge = bridge;
  for (const [name, heard] of Object.entries(window.heard)) {
    bridge.addEventListener(name, ({ detail }) => heard.push(detail));
  }
};

const tag = document.querySelector("script[data-rokt-bff]");
const module = await import(tag ? tag.src : `${bff}/static/bridge.js`);
listen(tag ? module.bridge : module.createBridge());
if (!tag) await bridge.guard(document.getElementById("continue"));

/** A selection of which the page hears some messages only: that of an earlier SDK. */
const only = (selection, ...names) => ({
  context: selection.context,
  send: (name, data) => selection.send(name, data),
  on: (name) => (names.includes(name) ? selection.on(name) : { subscribe() {} }),
});

// ---- Each generation, as its documentation says ------------------------------------------------

const identifier = query.get("identifier") ?? "checkout.upsell";
const ready = "PLACEMENT_INTERACTIVE";

const byLauncher = async () => {
  const launcher = await window.Rokt.createLauncher({ accountId: "stand-in", sandbox: true });
  return launcher.selectPlacements({ identifier, attributes: {} });
};

/** mParticle has loaded Rokt's kit by itself, before anybody could watch it. */
const byPlus = async () => {
  const { createLauncher } = window.Rokt;
  module.watch(window.bridge);
  window.mParticle = {
    Rokt: {
      selectPlacements: async (wish) =>
        (await createLauncher({ accountId: "stand-in" })).selectPlacements(wish),
    },
  };
  return window.mParticle.Rokt.selectPlacements({ identifier, attributes: {} });
};

const generations = {
  tag: byLauncher,
  plus: byPlus,
  legacy: async () => {
    window.rokt.cart.onUpdateItem(bridge.updateItemCallback);
    bridge.attach(window.rokt);
    return byLauncher();
  },
  first: async () => {
    const selection = await byLauncher();
    bridge.attach(only(selection, "UPDATE_CART_ITEM_MESSAGE", ready));
    return selection;
  },
  second: async () => {
    const selection = await byLauncher();
    bridge.attach(only(selection, "V2_CART_ITEM_UPDATED", ready));
    return selection;
  },
  all: async () => {
    const selection = await byLauncher();
    for (let time = 0; time < 2; time += 1) {
      bridge.attach(window.rokt);
      bridge.attach(selection);
    }
    return selection;
  },
};

// ---- A selection that says what a recording says -----------------------------------------------

class Recorded {
  context = { sessionId: Promise.resolve("recorded-session") };
  #subscribers = new Map();

  on(name) {
    return { subscribe: (hear) => this.#subscribers.set(name, [...this.#of(name), hear]) };
  }

  async send() {}

  /** Each message as a clone and in a task of its own, as they come from the placement. */
  async say(messages) {
    for (const { name, body } of messages) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      for (const hear of this.#of(name)) hear(structuredClone({ name, body }));
    }
    await bridge.settled();
  }

  #of(name) {
    return this.#subscribers.get(name) ?? [];
  }
}

// ---- What a test sees --------------------------------------------------------------------------

/** What the placement shows, catalogue item to quantity; null while there is none. */
window.placement = () => {
  const root = document.querySelector(".rokt-stand-in")?.shadowRoot;
  const offers = [...(root?.querySelectorAll("[data-catalog-item]") ?? [])];
  const shown = offers.map((offer) => [
    offer.dataset.catalogItem,
    Number.parseInt(offer.querySelector("[role=status]").textContent) || 0, // "2 in your order, …"
  ]);
  return offers.length ? Object.fromEntries(shown.filter(([, quantity]) => quantity)) : null;
};

/** Cart item ids of what the placement told of since it can be used, and since the last look. */
window.told = new Set();

/** Everything that was said before has arrived and is stored. */
window.settled = async () => {
  for (let round = 0; round < 2; round += 1) {
    await window.selection.send("NOTHING");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return bridge.settled();
};

if (sdk === "recorded") {
  window.selection = new Recorded();
  bridge.attach(window.selection);
} else {
  const script = document.getElementById("rokt-launcher");
  if (!window.Rokt) await new Promise((resolve) => script.addEventListener("load", resolve));
  const selection = await generations[sdk]();
  selection.on("V2_CART_ITEM_UPDATED").subscribe(({ body }) => {
    window.told.add((body.cartItem ?? body.oldCartItem)?.cartItemId);
  });
  selection.on(ready).subscribe(() => {
    window.told.clear();
    document.documentElement.dataset.page = "interactive";
  });
  window.selection = selection;
}
document.documentElement.dataset.page ??= "running";
