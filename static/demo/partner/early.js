// Runs before the page is rendered, so that nothing jumps.
document.documentElement.classList.add("js");
