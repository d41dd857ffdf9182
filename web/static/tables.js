// Sortable tables: a heading becomes a button. And a link to a member opens its part.
"use strict";
(() => {
  const number = (text) => {
    const plain = text.replace(/[,+\u00a0%]/g, "").replace("\u2212", "-").trim();
    return /^-?\d+(\.\d+)?$/.test(plain) ? Number(plain) : null;
  };

  const compare = (one, other) => {
    const [a, b] = [number(one), number(other)];
    if (a !== null && b !== null) return a - b;
    if (a !== null || b !== null) return a !== null ? -1 : 1;
    return one.localeCompare(other, "en", { numeric: true });
  };

  const sort = (table, column, heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[column]?.textContent.trim() ?? "", row]);
    rows.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows.map(([, row]) => row));
  };

  const prepare = (table) => {
    for (const heading of table.tHead?.rows[0].cells ?? []) {
      if (!heading.textContent.trim() || heading.querySelector("button")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading.cellIndex, heading));
      heading.append(button);
    }
  };

  const open = () => {
    const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  };

  const all = () => document.querySelectorAll("table.sortable").forEach(prepare);
  addEventListener("hashchange", open);
  document.addEventListener("hcfl:changed", all);
  all();
  open();
})();
