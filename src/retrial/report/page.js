"use strict";
// Long tables get a field to search them; everything folded opens on paper and for the address that was asked for.
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 12) continue;
  const field = document.createElement("input");
  field.type = "search";
  field.className = "find";
  field.placeholder = "Search this table";
  field.setAttribute("aria-label", "Search: " + (table.parentElement.getAttribute("aria-label") || "table"));
  table.parentElement.before(field);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let group = null;
    let under = "";
    for (const row of rows) {
      if (row.classList.contains("group")) {
        group = row;
        under = row.textContent.toLowerCase();
        row.hidden = words.length > 0;
        continue;
      }
      const text = row.textContent.toLowerCase() + " " + under;
      row.hidden = !words.every((word) => text.includes(word));
      if (group && !row.hidden) group.hidden = false;
    }
  });
}
const folded = [...document.querySelectorAll("details")];
const toggle = document.createElement("button");
toggle.type = "button";
toggle.className = "unfold";
toggle.textContent = "Open all sections";
toggle.addEventListener("click", () => {
  const open = toggle.textContent.startsWith("Open");
  for (const part of document.querySelectorAll("section > details")) part.open = open;
  toggle.textContent = open ? "Close all sections" : "Open all sections";
});
document.querySelector("nav").append(toggle);
const asked = () => {
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  for (let part = place.querySelector("details") || place; part; part = part.parentElement)
    if (part.tagName === "DETAILS") part.open = true;
  place.scrollIntoView();
};
addEventListener("hashchange", asked);
asked();
let before = [];
addEventListener("beforeprint", () => { before = folded.map((part) => part.open); for (const part of folded) part.open = true; });
addEventListener("afterprint", () => folded.forEach((part, place) => { part.open = before[place]; }));
