/** The elements of a placement of the stand-in. No text becomes HTML. */

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
  // Not `disabled`, because a disabled button loses the focus.
  made.addEventListener("click", () => {
    if (made.getAttribute("aria-disabled") !== "true") onPress();
  });
  return made;
}

export function hidden(text) {
  return element("span", { class: "visually-hidden" }, text);
}

/** @returns {string} a formatted amount; "$" and other invalid codes become a prefix */
export function money(amount, currency = "$") {
  const locale = document.documentElement.lang || undefined;
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount);
  } catch {
    return `${currency}${amount.toFixed(2)}`;
  }
}

/** Waits for the stylesheet, so that nothing shows unstyled. Without it the placement works, too. */
export function stylesheet() {
  const link = element("link", { rel: "stylesheet", href: STYLESHEET });
  const loaded = new Promise((resolve) => {
    link.addEventListener("load", resolve, { once: true });
    link.addEventListener("error", resolve, { once: true });
  });
  return { link, loaded };
}

// ---- One offer in a cart layout --------------------------------------------------------------
