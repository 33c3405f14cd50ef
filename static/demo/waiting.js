// @ts-check
/**
 * Says what a press waits for (`data-busy` on a form's button or on a link), and lets it through
 * once: a second press would only pay, hold or ask again. Without a script the browser's own sign
 * of loading says it.
 */

// Longer than any answer takes, reserve with its 6 s and confirm with its 8 s among them. Whoever
// stopped the page by then may press again.
const LONGEST_MS = 15_000;

const words = document.getElementById("waiting-words");

/** @type {Map<HTMLElement, string>} what is pressed, and its label at rest */
const busy = new Map();
/** @type {Set<HTMLElement>} what was let through */
const gone = new Set();

/** @param {HTMLElement} element */
const rest = (element) => {
  element.textContent = busy.get(element) ?? element.textContent;
  element.removeAttribute("aria-busy");
  busy.delete(element);
  gone.delete(element);
};

/** Shows that a press is being worked on; twice is the same as once. @param {HTMLElement} element */
export const begin = (element) => {
  if (busy.has(element)) return;
  busy.set(element, element.textContent ?? "");
  element.textContent = element.dataset.busy ?? "";
  element.setAttribute("aria-busy", "true");
  if (words) words.textContent = element.textContent;
  setTimeout(() => rest(element), LONGEST_MS);
};

/** Sets the label at rest. @param {HTMLElement} element @param {string} text */
export const label = (element, text) => {
  if (busy.has(element)) busy.set(element, text);
  else element.textContent = text;
};

/** @param {Event} event @param {HTMLElement | null | undefined} element */
const pass = (event, element) => {
  if (!element?.dataset.busy || event.defaultPrevented) return;
  if (gone.has(element)) {
    event.preventDefault();
    return;
  }
  gone.add(element);
  begin(element);
};

document.addEventListener("submit", (event) => {
  pass(event, /** @type {HTMLElement | null} */ (event.submitter));
});
document.addEventListener("click", (event) => {
  const isElsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  const target = /** @type {Element} */ (event.target);
  if (!isElsewhere) pass(event, /** @type {HTMLElement | null} */ (target.closest("a[data-busy]")));
});
// Back from the browser's cache of pages, everything may be pressed again.
addEventListener("pageshow", () => [...busy.keys()].forEach(rest));
