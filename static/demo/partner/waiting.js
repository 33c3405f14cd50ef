// @ts-check
/** What a press waits for, said on the pressed button, and how long anything is waited for. */

/** @param {Promise<any>} promise @param {number} ms */
export const within = (promise, ms) => {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("too late")), ms));
  return Promise.race([promise, late]);
};

/** @type {Map<HTMLElement, string>} what is pressed, and its label at rest */
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

/** Back from the browser's cache of pages, everything may be pressed again. */
export const restAll = () => [...busy.keys()].forEach(rest);

/** Sets the label at rest. @param {HTMLElement} button @param {string} text */
export const label = (button, text) => {
  if (busy.has(button)) busy.set(button, text);
  else button.textContent = text;
};
