// What the theme leaves without a name, and what scrolls sideways, can be reached without a mouse.
const reachable = () => {
  for (const summary of document.querySelectorAll("details > summary"))
    if (!summary.textContent.trim()) summary.setAttribute("aria-label", "show or hide what belongs to it");
  for (const button of document.querySelectorAll(".search-button-field")) button.removeAttribute("aria-label");
  for (const box of document.querySelectorAll("mjx-container[display='true'], pre, .pst-scrollable-table-container"))
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
};
addEventListener("load", () => {
  reachable();
  window.MathJax?.startup?.promise?.then(reachable);
});
