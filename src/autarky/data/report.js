// Draw the figures from the specifications in the page, and let tables be sorted by their headings.
for (const holder of document.querySelectorAll(".chart")) {
  const spec = document.querySelector(`script[data-spec="${holder.dataset.figure}"]`);
  const options = { mode: "vega-lite", renderer: "svg", actions: false, logLevel: 1 };
  // Whatever fails in one chart, the others are drawn.
  const drawn = async () => window.vegaEmbed(holder, JSON.parse(spec.textContent), options);
  drawn().catch((error) => {
    holder.textContent = `This chart could not be drawn (${error.message}); it is also in figures/${holder.dataset.figure}.svg.`;
  });
}

const words = new Intl.Collator("en", { numeric: true });

function compare(kind, sign) {
  return (one, other) => {
    // Nulls come last whichever way the column is sorted.
    if (one.value === "" || other.value === "") return (one.value === "") - (other.value === "");
    return sign * (kind === "number" ? Number(one.value) - Number(other.value) : words.compare(one.value, other.value));
  };
}

function sort(heading) {
  const table = heading.closest("table");
  const at = [...heading.parentElement.children].indexOf(heading);
  const direction = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const other of heading.parentElement.children) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", direction);
  // A body holds a row and what stands under it.
  const bodies = [...table.tBodies].map((body) => ({ body, value: body.rows[0].cells[at].dataset.value }));
  bodies.sort(compare(heading.dataset.type, direction === "ascending" ? 1 : -1));
  table.append(...bodies.map((held) => held.body));
}

for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}

// A folded part of the page would be missing on paper.
window.addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
