// @ts-check
/** Shows on a pressed button what it waits for, and limits how long promises may take. */

/** @param {Promise<any>} promise @param {number} ms */
export const within = (promise, ms) => {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("too late")), ms));
  return Promise.race([promise, late]);
};

/** @type {Map<HTMLElement, string>} the pressed buttons, and their usual labels */
const busy = new Map();

/** @param {HTMLElement} button */
export const isBusy = (button) => busy.has(button);

/** @param {HTMLElement} button @param {string} text */
export const begin = (button, text) => {
  busy.set(button, button.textContent ?? "");
  button.textContent = text;
  button.setAttribute("aria-busy", "true");
};

/** @param {HTMLElement} button */
export const rest = (button) => {
  button.textContent = busy.get(button) ?? button.textContent;
  button.removeAttribute("aria-busy");
  busy.delete(button);
};

/** For a page from the back/forward cache, which accepts presses again. */
export const restAll = () => [...busy.keys()].forEach(rest);

/** Sets the usual label. @param {HTMLElement} button @param {string} text */
export const label = (button, text) => {
  if (busy.has(button)) busy.set(button, text);
  else button.textContent = text;
};
