// Runs before the page is drawn, so that nothing jumps: says that there are scripts.
document.documentElement.classList.add("js");
