// Runs before the page is rendered, so that the panel does not jump. It sets the class `js`, and opens
// the panel in a wide window or if it was left open.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let kept = null;
  try {
    kept = sessionStorage.getItem("backstage");
  } catch {} // without storage the width decides
  const isOpen = kept === null ? matchMedia("(min-width: 68.75em)").matches : kept === "open";
  root.classList.toggle("backstage-open", isOpen);
})();
