// @ts-check
/**
 * Shows on a pressed button or link what it waits for (`data-busy`), and lets it submit only once. A
 * second press would pay or reserve again. Without this script the browser shows that it is loading.
 */

// Longer than any response takes: 6 s for a reserve, 8 s for a confirm. After that, a shopper who
// stopped the page can press again.
const LONGEST_MS = 15_000;

const words = document.getElementById("waiting-words");

/** @type {Map<HTMLElement, string>} the pressed elements, and their usual labels */
const busy = new Map();
/** @type {Set<HTMLElement>} the elements that have submitted */
const submitted = new Set();

/** @param {HTMLElement} element */
const rest = (element) => {
  element.textContent = busy.get(element) ?? element.textContent;
  element.removeAttribute("aria-busy");
  busy.delete(element);
  submitted.delete(element);
};

/** Shows that a press is in progress. A second call does nothing. @param {HTMLElement} element */
export const begin = (element) => {
  if (busy.has(element)) return;
  busy.set(element, element.textContent ?? "");
  element.textContent = element.dataset.busy ?? "";
  element.setAttribute("aria-busy", "true");
  if (words) words.textContent = element.textContent;
  setTimeout(() => rest(element), LONGEST_MS);
};

/** Sets the usual label. @param {HTMLElement} element @param {string} text */
export const label = (element, text) => {
  if (busy.has(element)) busy.set(element, text);
  else element.textContent = text;
};

/** @param {Event} event @param {HTMLElement | null | undefined} element */
const pass = (event, element) => {
  if (!element?.dataset.busy || event.defaultPrevented) return;
  if (submitted.has(element)) {
    event.preventDefault();
    return;
  }
  submitted.add(element);
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
// A page from the back/forward cache accepts presses again.
addEventListener("pageshow", () => [...busy.keys()].forEach(rest));
