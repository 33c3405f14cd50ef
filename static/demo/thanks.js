// @ts-check
/**
 * Brings the order's extras and the bill up to date once their state is another one; until then, quiet.
 * Not by loading the page anew: a press in the placement may be under way.
 */

const PARTS = ["order-extras", "paid"];
const FIRST_MS = 1500;
const SLOWEST_MS = 10_000;

/** @param {ParentNode} page @param {string} id */
const find = (page, id) => /** @type {HTMLElement} */ (page.querySelector(`#${id}`));

/** The page as the shop has it by now. As a document, not as a text that would be made markup: so Trusted Types hold.
 * @returns {Promise<Document | null>} */
const readPage = () =>
  new Promise((resolve) => {
    const asked = new XMLHttpRequest();
    asked.open("GET", find(document, "order-extras").dataset.page ?? "");
    asked.responseType = "document";
    asked.addEventListener("loadend", () => resolve(asked.status === 200 ? asked.responseXML : null));
    asked.send();
  });

/** @type {ReturnType<typeof setTimeout> | undefined} */
let next;
let pause = FIRST_MS;

/** Looks again soon, where something is still to come. */
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
    const answer = await fetch(poll, { headers: { Accept: "application/json" } });
    if (answer.ok && (await answer.json()).state !== state) {
      // Of an order that is paid by now the whole page is another one.
      if (state.startsWith("paying")) location.assign(page);
      else await refresh();
      return;
    }
  } catch {} // the network is away: look again later
  watch();
};

watch();
