// @ts-check
/**
 * Small kindnesses on the payment page: digits in groups, the time that is left, the cursor at
 * the first mistake. The page works without any of them.
 */

const form = /** @type {HTMLFormElement} */ (document.getElementById("card"));

/** @param {string} name @param {(digits: string) => string} shape */
const whileTyping = (name, shape) => {
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
  field.addEventListener("input", () => {
    // Only at the end of the text: a cursor in the middle must stay where it is.
    if (field.selectionStart !== field.value.length) return;
    field.value = shape(field.value.replace(/\D/g, ""));
  });
};

whileTyping("number", (digits) => digits.slice(0, 19).replace(/(.{4})(?=.)/g, "$1 "));
whileTyping("expiry", (digits) => digits.slice(0, 4).replace(/^(..)(.+)/, "$1 / $2"));

const wrong = /** @type {HTMLElement | null} */ (form.querySelector("[aria-invalid]"));
wrong?.focus();

const held = document.querySelector("#held-until [data-seconds]");
// Uses the seconds from the server, because the clock of this device may be wrong.
const until = Date.now() + 1000 * Number(held?.getAttribute("data-seconds") ?? 0);

const countDown = () => {
  const seconds = Math.floor((until - Date.now()) / 1000);
  const line = /** @type {HTMLElement} */ (document.getElementById("held-until"));
  if (seconds <= 0) {
    line.textContent = "The hold on your extras has run out. We look again when you pay.";
    return;
  }
  const minutes = Math.floor(seconds / 60);
  /** @type {HTMLElement} */ (held).textContent = `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  setTimeout(countDown, 1000);
};
if (held) countDown();
