/** Holds a press until the server has everything: see bridge-guard.d.ts. */

/** As long as a shopper takes for "working on it"; then they go on, whatever has failed. */
const LIMIT_MS = 3000;

export const guard = (bridge, target, limit = LIMIT_MS, host = globalThis) => {
  const held = new Set();
  let free = null;

  const hold = async (event) => {
    const element = target.addEventListener ? target : event.target.closest(target);
    if (!element || element === free) return;
    const isForm = Boolean(element.requestSubmit);
    if (isForm !== (event.type === "submit")) return;
    // A new tab or window, or a download: this page stays, and goes on sending.
    const staysHere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button;
    if (staysHere) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (held.has(element)) return;
    held.add(element);
    const late = new Promise((done) => host.setTimeout(done, limit));
    // Also when nothing waits: the message of the last click comes in a later task.
    await Promise.race([bridge.settled(), late]);
    held.delete(element);
    free = element;
    try {
      if (isForm) element.requestSubmit(event.submitter);
      else element.click();
    } finally {
      free = null;
    }
  };

  // Capturing, so that it comes before the page's own listeners; for a selector on the document, so
  // that it holds what is added later as well.
  const area = target.addEventListener ? target : host.document;
  for (const type of ["click", "submit"]) area.addEventListener(type, hold, true);
};

export { guard as start };
