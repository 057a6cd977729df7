// Filters the ledger. What is chosen stands in the address after #, so that a link can carry it.
"use strict";

const form = document.querySelector(".filter"), said = form.querySelector("output");
const rows = [...document.querySelectorAll(".ledger tbody tr")];

function chosen() {
  return Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
}

function fits(row, {text = "", ...exact}) {
  return row.textContent.toLowerCase().includes(text.toLowerCase())
    && Object.entries(exact).every(([name, value]) => row.dataset[name] === value);
}

function show() {
  const wanted = chosen();
  for (const row of rows) row.hidden = !fits(row, wanted);
  said.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} claims`;
}

function keep() {
  show();
  const wanted = new URLSearchParams(chosen()).toString();
  history.replaceState(null, "", `#${wanted}`);
}

function read() {  // of an address such as ledger.html#verdict=undecided, or #claim-gain
  const hash = location.hash.slice(1), wanted = new URLSearchParams(hash);
  if (hash && !hash.includes("=")) return;
  for (const field of form.querySelectorAll("[name]")) field.value = wanted.get(field.name) ?? "";
  show();
}

form.hidden = false;
form.addEventListener("input", keep);
form.addEventListener("reset", () => setTimeout(keep));
form.addEventListener("submit", event => event.preventDefault());
addEventListener("hashchange", read);
show();
read();
