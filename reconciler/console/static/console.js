// Conveniences only: every page works without this file. Keeps figures fresh, and adds keys.
"use strict";

const isTyping = () =>
  document.activeElement?.matches("input:not([type=checkbox]), select, textarea, [contenteditable]");

// --- fresh figures: fetch the same page and swap what is marked, unless someone is in the middle of it.
const every = Number(document.body.dataset.refresh || 0) * 1000;
const isBusy = (part) =>
  part.contains(document.activeElement) || part.querySelector("details[open]") !== null;

async function refresh() {
  if (document.hidden || isTyping() || String(getSelection()) !== "") return;
  const response = await fetch(location.href, { headers: { "X-Refresh": "1" } });
  if (response.redirected) return location.reload(); // the session is over: to the log-in
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!fresh.body.dataset.refresh) clearInterval(refreshing);
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
    if (next && !isBusy(part) && next.innerHTML !== part.innerHTML) part.replaceWith(next);
  }
}
const refreshing = every ? setInterval(() => refresh().catch(() => {}), every) : 0;

// --- keys
const go = { o: "/", d: "/documents", b: "/blocked", w: "/waiting", l: "/dead-letters", c: "/companies" };
const base = document.querySelector(".brand")?.getAttribute("href")?.replace(/\/$/, "");
let going = false;

function step(by) {
  const rows = [...document.querySelectorAll(".rows tbody tr, .cards > li, .group tbody tr")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[Math.min(Math.max(at < 0 ? 0 : at + by, 0), rows.length - 1)];
  row.querySelector("a")?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping() || base === undefined) return;
  const key = event.key;
  if (going && key in go) {
    location.href = base + go[key];
    event.preventDefault();
  } else if (key === "/") {
    document.getElementById("q")?.select();
    event.preventDefault();
  } else if (key === "?") document.getElementById("keys")?.showModal();
  else if (key === "j") step(1);
  else if (key === "k") step(-1);
  going = key === "g" && !going;
});

// One open question at a time; Escape closes it.
document.addEventListener("toggle", (event) => {
  if (!event.target.matches?.("details.ask") || !event.target.open) return;
  for (const other of document.querySelectorAll("details.ask[open]")) if (other !== event.target) other.open = false;
  event.target.querySelector("input[required]")?.focus();
}, true);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.ask[open]")) { open.open = false; open.querySelector("summary").focus(); }
});

// A form sent once is not sent again by a second click.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  for (const button of event.target.querySelectorAll("button")) setTimeout(() => { button.disabled = true; });
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
});
