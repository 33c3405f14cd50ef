// @ts-check
/** Reloads the page when the state of an extra changes, and shows that "cancel" is in progress. */

const SLOWEST_MS = 10_000;
const { state, poll } = /** @type {HTMLElement} */ (document.getElementById("extras")).dataset;
let pause = 1500;

const look = async () => {
  try {
    const response = await fetch(poll ?? "", { headers: { Accept: "application/json" } });
    if (response.ok && (await response.json()).state !== state) return location.reload();
  } catch {} // no network: try again later
  pause = Math.min(SLOWEST_MS, pause * 1.5);
  setTimeout(look, pause);
};
if (poll) setTimeout(look, pause);

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    const button = /** @type {HTMLButtonElement} */ (event.submitter);
    if (button.hasAttribute("aria-busy")) return event.preventDefault();
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.busy ?? "";
  });
}
addEventListener("pageshow", (event) => event.persisted && location.reload());
