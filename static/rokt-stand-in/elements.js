/** The elements that a placement of the stand-in is made of: plain ones, no HTML from text. */

const STYLESHEET = new URL("./rokt-stand-in.css", import.meta.url).href;

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function button(kind, classes, onPress, ...children) {
  const attributes = { type: "button", class: classes, "data-rokt": kind };
  const made = element("button", attributes, ...children);
  // Not `disabled`: a button that greys out under the finger must keep the keyboard's focus.
  made.addEventListener("click", () => {
    if (made.getAttribute("aria-disabled") !== "true") onPress();
  });
  return made;
}

export function hidden(text) {
  return element("span", { class: "visually-hidden" }, text);
}

/** @returns {string} an amount for people; "$" and other codes that are none are put before it */
export function money(amount, currency = "$") {
  const locale = document.documentElement.lang || undefined;
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount);
  } catch {
    return `${currency}${amount.toFixed(2)}`;
  }
}

/** Waits for the stylesheet, so that nothing shows bare; without it the placement still works. */
export function stylesheet() {
  const link = element("link", { rel: "stylesheet", href: STYLESHEET });
  const loaded = new Promise((resolve) => {
    link.addEventListener("load", resolve, { once: true });
    link.addEventListener("error", resolve, { once: true });
  });
  return { link, loaded };
}

// ---- One offer in a cart layout --------------------------------------------------------------
