// Runs before the page is drawn, so that the panel does not jump: says that there are scripts,
// and opens the panel where there is room for it or where it was left open.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let kept = null;
  try {
    kept = sessionStorage.getItem("backstage");
  } catch {} // storage may be off; then the width decides
  const isOpen = kept === null ? matchMedia("(min-width: 68.75em)").matches : kept === "open";
  root.classList.toggle("backstage-open", isOpen);
})();
