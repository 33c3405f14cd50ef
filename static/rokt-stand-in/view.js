/**
 * Draws a placement of the stand-in: a card in a shadow root of its own.
 *
 * No text becomes HTML, so it works with a strict Content-Security-Policy and Trusted Types. The
 * styles are in rokt-stand-in.css. A shop sets their colors with `--rokt-…` properties.
 * Controls carry `data-rokt` ("add", "less", "more", "quantity", "event", "buy", "decline",
 * "close"), each offer `data-catalog-item`, the host `data-drawn` ("wide" | "narrow").
 */

import { button, element, hidden, money, stylesheet } from "./elements.js";

/** @returns {{root: HTMLElement, controls: HTMLElement, note: HTMLElement}} */
function offerCard(offer, index) {
  const title = element("h3", { class: "name", id: `offer-${index}` }, offer.name ?? "");
  const price = element("p", { class: "price" }, money(offer.unitPrice ?? 0, offer.currency));
  const text = element("p", { class: "description" }, offer.description ?? "");
  const controls = element("div", { class: "controls" });
  const note = element("p", { class: "note", role: "status" });
  const root = element(
    "li",
    { class: "offer", "data-catalog-item": offer.catalogItemId, "aria-labelledby": title.id },
    element("div", { class: "facts" }, element("div", { class: "headline" }, title, price), text),
    element("div", { class: "act" }, controls, note),
  );
  if (offer.soldOut) {
    root.classList.add("is-sold-out");
    controls.append(element("span", { class: "badge" }, "Sold out"));
  }
  return { root, controls, note };
}

/**
 * The quantity field between two buttons. Like the real one, it sends every typed number at once. A
 * number that the placement does not accept stays in the field until the field loses the focus.
 */
function stepper(mount, holding) {
  const { offer } = mount;
  const minimum = offer.minItemCount ?? 0;
  let isTyping = false;

  const step = (by) => {
    const held = holding.quantity(offer);
    // Goes from 0 to the minimum in one step: quantities between would be refused.
    mount.set(by > 0 ? Math.max(held + by, minimum) : Math.max(held + by, 0));
  };
  const field = element("input", {
    class: "quantity",
    "data-rokt": "quantity",
    type: "text",
    inputmode: "numeric",
    autocomplete: "off",
    role: "spinbutton",
    "aria-label": `Quantity of ${offer.name ?? "this item"}`,
    "aria-valuemin": String(minimum),
  });
  if (offer.maxItemCount) field.setAttribute("aria-valuemax", offer.maxItemCount);
  field.addEventListener("beforeinput", (event) => {
    // Of single keys only digits are accepted. A pasted fraction passes.
    if (event.inputType === "insertText" && /^\D$/.test(event.data ?? "")) event.preventDefault();
  });
  field.addEventListener("input", () => {
    isTyping = true;
    mount.set(Number(field.value));
    isTyping = false;
  });
  field.addEventListener("click", () => field.select());
  field.addEventListener("blur", () => refresh());
  field.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
      field.select(); // so that a digit typed next replaces the number
    }
  });
  const less = button("less", "step", () => step(-1), "−");
  const more = button("more", "step", () => step(1), "+");
  less.setAttribute("aria-label", `One fewer: ${offer.name ?? ""}`);
  more.setAttribute("aria-label", `One more: ${offer.name ?? ""}`);

  function refresh() {
    const held = holding.quantity(offer);
    if (!isTyping) field.value = String(held);
    field.setAttribute("aria-valuenow", String(held));
    const canLess = held > 0 && holding.takes(offer, Math.max(held - 1, 0));
    const canMore = holding.takes(offer, Math.max(held + 1, minimum));
    less.setAttribute("aria-disabled", String(!canLess));
    more.setAttribute("aria-disabled", String(!canMore));
  }
  const root = element(
    "div",
    { class: "stepper", role: "group", "aria-label": `${offer.name ?? ""}, how many` },
    less,
    field,
    more,
  );
  return { root, refresh };
}

function drawCartOffer(placement, mount, index) {
  const { holding } = placement;
  const { offer } = mount;
  const card = offerCard(offer, index);
  if (offer.soldOut) return { root: card.root, refresh() {} };
  const isForced = holding.isForced(offer);
  const steps = stepper(mount, holding);
  const label = element("span");
  const add = button("add", "add", () => mount.set(1), label, hidden(` ${offer.name ?? ""}`));
  if (isForced) {
    card.controls.append(element("span", { class: "badge" }, "Part of this order"));
  } else {
    card.controls.append(steps.root, add);
  }
  return {
    root: card.root,
    refresh() {
      const held = holding.quantity(offer);
      steps.refresh();
      label.textContent = held > 0 ? "Added" : "Add";
      add.classList.toggle("is-added", held > 0);
      card.root.classList.toggle("is-held", held > 0);
      const total = money((offer.unitPrice ?? 0) * held, offer.currency);
      const note = held > 0 ? `${held} in your order, ${total}` : "";
      if (card.note.textContent !== note) card.note.textContent = note;
    },
  };
}

// ---- One offer in the other layouts ----------------------------------------------------------

/** A button that sends a message to the page. The placement stores nothing. */
function drawPartnerEvent(placement, offer, index) {
  const card = offerCard(offer, index);
  if (!offer.soldOut) {
    const name = hidden(` ${offer.name ?? ""}`);
    const press = () => placement.pressPartnerEvent(offer);
    card.controls.append(button("event", "add", press, "Add", name));
  }
  return { root: card.root, refresh() {} };
}

/** An instant purchase. Its result takes the place of the buttons. */
function drawPurchase(placement, purchase, index) {
  const { offer } = purchase;
  const card = offerCard(offer, index);
  if (offer.soldOut) return { root: card.root, refresh() {} };
  const price = money(offer.unitPrice ?? 0, offer.currency);
  const label = element("span");
  const name = hidden(` ${offer.name ?? ""}`);
  const buy = button("buy", "add", () => placement.buy(purchase), label, name);
  const decline = button("decline", "quiet", () => placement.decline(purchase), "No thanks");
  card.controls.append(decline, buy);
  return {
    root: card.root,
    refresh() {
      const { state, note } = purchase;
      const labels = { waiting: "One moment…", failed: "Try again" };
      const notes = {
        bought: note ? `Bought. Confirmation ${note}` : "Bought. It is part of your order.",
        failed: note ? `That did not work: ${note}` : "That did not work.",
        gone: "Sold out.",
        declined: "No problem. Nothing was added.",
      };
      label.textContent = labels[state] ?? `Buy for ${price}`;
      for (const each of [buy, decline]) {
        each.setAttribute("aria-disabled", String(state === "waiting"));
      }
      card.root.dataset.purchase = state;
      card.note.textContent = notes[state] ?? "";
      if (purchase.isSettled) {
        const hadFocus = card.controls.contains(card.root.getRootNode().activeElement);
        card.controls.remove();
        card.note.tabIndex = -1; // the pressed button is removed, so the focus moves to the result
        if (hadFocus) card.note.focus();
      }
    },
  };
}

// ---- The placement ---------------------------------------------------------------------------

/** Draws a placement into the page, and again whenever the window crosses the breakpoint. */
export class PlacementView {
  #host = element("div", { class: "rokt-stand-in" });
  #parts = [];
  #isClosed = false;

  /**
   * @param {object} placement  see Placement in placement.js
   * @param {{target: string, layout: string, heading: string, breakpoint: number}} options
   */
  constructor(placement, options) {
    this.placement = placement;
    this.options = options;
    this.narrow = window.matchMedia(`(max-width: ${options.breakpoint - 0.02}px)`);
    this.root = this.#host.attachShadow({ mode: "open" });
    this.body = element("div");
    this.redraw = () => this.#draw();
  }

  /** @returns {Promise<boolean>} false if it was closed meanwhile */
  async open() {
    const target = document.querySelector(this.options.target);
    if (!target) throw new Error(`the page has no element "${this.options.target}" to draw into: check data-target`);
    const { link, loaded } = stylesheet();
    this.root.append(link, this.body);
    target.replaceChildren(this.#host);
    await loaded;
    if (this.#isClosed) return false;
    this.#draw();
    this.narrow.addEventListener("change", this.redraw);
    return true;
  }

  #draw() {
    const { layout } = this.options;
    const placement = this.placement;
    const focused = focusKey(this.root.activeElement);
    if (layout === "confirmation") {
      this.#parts = placement.purchases.map((each, at) => drawPurchase(placement, each, at));
    } else if (layout === "partner-event") {
      const { offers } = placement.holding;
      this.#parts = offers.map((offer, at) => drawPartnerEvent(placement, offer, at));
    } else {
      this.#parts = []; // preselected offers send messages during mount(), before they are drawn
      this.#parts = placement.mount().map((mount, at) => drawCartOffer(placement, mount, at));
    }
    this.#host.dataset.drawn = this.narrow.matches ? "narrow" : "wide";
    this.body.replaceChildren(this.#card());
    this.refresh();
    if (focused) this.root.querySelector(focused)?.focus();
  }

  #card() {
    const isAfterPayment = this.options.layout === "confirmation";
    const usual = isAfterPayment ? "One more thing" : "Add to your order";
    const heading = this.options.heading || usual;
    const close = button("close", "close", () => this.placement.close(), "×");
    close.setAttribute("aria-label", "Close offers");
    return element(
      "section",
      { class: "card", "aria-labelledby": "heading" },
      element(
        "header",
        { class: "top" },
        element("h2", { class: "heading", id: "heading" }, heading),
        close,
      ),
      element("ul", { class: "offers", role: "list" }, ...this.#parts.map((part) => part.root)),
    );
  }

  refresh() {
    for (const part of this.#parts) part.refresh();
  }

  close() {
    this.#isClosed = true;
    this.narrow.removeEventListener("change", this.redraw);
    this.#host.remove();
  }
}

/** @returns {string} a selector that finds the same control in the next drawing */
function focusKey(active) {
  if (!active) return "";
  const offer = active.closest("[data-catalog-item]")?.dataset.catalogItem;
  const control = `[data-rokt="${CSS.escape(active.dataset.rokt ?? "")}"]`;
  return offer ? `[data-catalog-item="${CSS.escape(offer)}"] ${control}` : control;
}
