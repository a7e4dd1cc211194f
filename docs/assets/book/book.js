// What the theme leaves without a name, and what scrolls sideways, can be reached without a mouse.
const reachable = () => {
  for (const summary of document.querySelectorAll("details > summary"))
    if (!summary.textContent.trim()) summary.setAttribute("aria-label", "show or hide what belongs to it");
  for (const button of document.querySelectorAll(".search-button-field")) button.removeAttribute("aria-label");
  for (const box of document.querySelectorAll("mjx-container[display='true'], pre, .pst-scrollable-table-container"))
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
};
// A word that was searched for is marked, and shown where it stands, not at the top of a long page. Sphinx marks it
// only where its search is not loaded, and the theme loads that on every page.
const toTheWord = () => {
  if (document.getElementById("search-results")) return;
  SphinxHighlight.highlightSearchWords();
  setTimeout(() => {
    const word = location.hash ? null : document.querySelector(".bd-article .highlighted");
    for (let fold = word?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    word?.scrollIntoView({block: "center"});
  }, 50);
};
addEventListener("load", () => {
  reachable();
  Promise.resolve(window.MathJax?.startup?.promise).then(reachable).then(toTheWord);
});
