// @ts-check
/**
 * Polls the order's state, and updates extras and bill when it changes. It does not reload the page,
 * because a purchase in the placement may be in progress.
 */

const PARTS = ["order-extras", "paid"];
const FIRST_MS = 1500;
const SLOWEST_MS = 10_000;

/** @param {ParentNode} page @param {string} id */
const find = (page, id) => /** @type {HTMLElement} */ (page.querySelector(`#${id}`));

/** Loads the page again as a document. A text that becomes markup would violate Trusted Types.
 * @returns {Promise<Document | null>} */
const readPage = () =>
  new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", find(document, "order-extras").dataset.page ?? "");
    request.responseType = "document";
    request.addEventListener("loadend", () => resolve(request.status === 200 ? request.responseXML : null));
    request.send();
  });

/** @type {ReturnType<typeof setTimeout> | undefined} */
let next;
let pause = FIRST_MS;

/** Polls again after a pause, while a change may come. */
const watch = () => {
  clearTimeout(next);
  if (find(document, "order-extras").dataset.poll) next = setTimeout(look, pause);
};

export const refresh = async () => {
  const page = await readPage();
  const focused = document.activeElement?.getAttribute("href");
  for (const id of page ? PARTS : []) {
    const fresh = document.importNode(find(/** @type {Document} */ (page), id), true);
    find(document, id).replaceWith(fresh);
    for (const link of fresh.querySelectorAll("a")) {
      if (link.getAttribute("href") === focused) link.focus();
    }
  }
  if (page) pause = FIRST_MS;
  watch();
};

const look = async () => {
  const { poll = "", state = "", page = "" } = find(document, "order-extras").dataset;
  pause = Math.min(SLOWEST_MS, pause * 1.5);
  try {
    const response = await fetch(poll, { headers: { Accept: "application/json" } });
    if (response.ok && (await response.json()).state !== state) {
      // A paid order has another page.
      if (state.startsWith("paying")) location.assign(page);
      else await refresh();
      return;
    }
  } catch {} // no network: try again later
  watch();
};

watch();
