// @ts-check
/**
 * The panel "Behind the scenes": opens and closes it, adds new entries, turns the switches.
 *
 * The server renders the first entries. This script adds later ones from the same template, by
 * textContent only. It polls often while entries arrive, seldom otherwise, and never while the panel
 * is not visible.
 */

const QUICK_MS = 700;
const SLOW_MS = 5000;

const root = document.documentElement;
const toggle = document.getElementById("backstage-toggle");
const panel = document.querySelector(".backstage");
const flow = document.querySelector(".backstage__flow");
const sequence = /** @type {HTMLElement} */ (document.getElementById("sequence"));
const template = /** @type {HTMLTemplateElement} */ (document.getElementById("entry"));
const controls = /** @type {HTMLFormElement | null} */ (document.getElementById("controls"));

let last = Number(sequence.dataset.last);
let pause = QUICK_MS;
/** @type {number | undefined} */
let timer;

const isBeside = () => matchMedia("(min-width: 68.75em)").matches; // else it is below the shop
const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const isOpen = () => !toggle || root.classList.contains("backstage-open");

// ---- Drawing -----------------------------------------------------------------------------------

/** @param {any} entry */
const build = (entry) => {
  const item = /** @type {HTMLElement} */ (
    /** @type {DocumentFragment} */ (template.content.cloneNode(true)).firstElementChild
  );
  item.className = `entry entry--${entry.source}-${entry.target} entry--${entry.tone} entry--new`;
  item.dataset.key = entry.key;
  item.dataset.at = entry.at;
  const texts = { ...entry, detail: JSON.stringify(entry.detail, null, 2) };
  for (const part of item.querySelectorAll("[data-part]")) {
    part.textContent = texts[/** @type {HTMLElement} */ (part).dataset.part ?? ""] ?? "";
  }
  return item;
};

/** @param {any} entry */
const place = (entry) => {
  const item = build(entry);
  const known = sequence.querySelector(`[data-key="${Number(entry.key)}"]`);
  if (known) {
    item.classList.remove("entry--new");
    item.querySelector("details")?.toggleAttribute("open", known.querySelector("details")?.open);
    known.replaceWith(item);
    return;
  }
  const later = [...sequence.children].find(
    (other) => /** @type {HTMLElement} */ (other).dataset.at > entry.at,
  );
  sequence.insertBefore(item, later ?? null);
};

const toEnd = () => flow?.scrollTo(0, flow.scrollHeight);

/** @param {any[]} entries */
const draw = (entries) => {
  const wasAtEnd = flow && flow.scrollTop + flow.clientHeight > flow.scrollHeight - 80;
  entries.forEach(place);
  const empty = document.getElementById("sequence-empty");
  if (empty && entries.length) empty.hidden = true;
  if (wasAtEnd) toEnd();
};

// ---- Asking ------------------------------------------------------------------------------------

const ask = async () => {
  clearTimeout(timer);
  if (document.hidden || !isOpen()) return; // opening the panel or returning to the page polls again
  try {
    const response = await fetch(`${sequence.dataset.feed}?after=${last}`, {
      headers: { Accept: "application/json" },
    });
    const news = await response.json();
    if (news.last < last) {
      last = 0; // the shop was restarted, so its revisions begin again
      sequence.replaceChildren();
    } else {
      last = news.last;
      draw(news.entries);
    }
    pause = news.entries.length ? QUICK_MS : Math.min(SLOW_MS, pause * 1.3);
  } catch {
    pause = SLOW_MS; // the shop does not respond; its pages will show that
  }
  clearTimeout(timer);
  timer = setTimeout(ask, pause);
};

const hurry = () => {
  pause = QUICK_MS;
  clearTimeout(timer);
  timer = setTimeout(ask, QUICK_MS / 2);
};

// ---- What the shopper does ------------------------------------------------------------------------

const sayOpen = () => toggle?.setAttribute("aria-expanded", String(isOpen()));

toggle?.addEventListener("click", () => {
  const open = root.classList.toggle("backstage-open");
  try {
    sessionStorage.setItem("backstage", open ? "open" : "closed");
  } catch {} // without storage the next page does not know it
  sayOpen();
  if (open) {
    toEnd();
    hurry();
    if (!isBeside()) panel?.scrollIntoView({ behavior: isCalm() ? "auto" : "smooth" });
  }
});

controls?.addEventListener("submit", async (event) => {
  const button = /** @type {HTMLButtonElement} */ (event.submitter);
  event.preventDefault();
  const body = new FormData(controls);
  body.set("toggle", button.value);
  const response = await fetch(controls.action, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(/** @type {any} */ (body)),
  }).catch(() => null);
  if (!response?.ok) return;
  if ("reload" in button.dataset) {
    location.assign("/");
    return;
  }
  const { active } = await response.json();
  for (const one of controls.querySelectorAll("button[aria-pressed]")) {
    one.setAttribute("aria-pressed", String(active.includes(one.getAttribute("value"))));
  }
});

document.addEventListener("visibilitychange", hurry);
document.addEventListener("pointerdown", hurry);
document.addEventListener("keydown", hurry);
sayOpen();
toEnd();
panel?.classList.add("backstage--live");
ask();
