// Texts of people and models: the raw view of all of them on one key, and a button that copies a block of code.
// The raw text stands in a template element beside each rendered one, so that nothing finds or reads it twice.

import { announce, isTyping, toast } from "./parley.js";

const KEY = "v";
const toggle = document.getElementById("raw-toggle");
let isRaw = false;

function show(source) {
  const rendered = source.previousElementSibling;
  const shown = source.nextElementSibling?.matches(".raw") ? source.nextElementSibling : null;
  rendered.hidden = isRaw;
  if (!isRaw) shown?.remove();
  else if (!shown) {
    const raw = document.createElement("div");
    raw.className = "prose raw";
    raw.dir = "auto";
    raw.append(source.content.cloneNode(true));
    source.after(raw);
  }
}

function showAll() {
  const sources = document.querySelectorAll("template.raw-text");
  for (const source of sources) show(source);
  if (toggle) {
    toggle.hidden = sources.length === 0;
    toggle.setAttribute("aria-pressed", String(isRaw));
  }
}

// What is being read stays where it is: the card or message that has the focus, else the first one in sight.
function anchor() {
  const focused = document.activeElement?.closest("article, .candidate");
  if (focused) return focused;
  return [...document.querySelectorAll("main article, main .candidate")].find((one) => one.getBoundingClientRect().bottom > 80);
}

function toggleRaw() {
  const kept = anchor();
  const top = kept?.getBoundingClientRect().top;
  isRaw = !isRaw;
  showAll();
  if (kept) scrollBy({ top: kept.getBoundingClientRect().top - top, behavior: "instant" });
  announce(isRaw ? toggle.dataset.raw : toggle.dataset.rendered);
}

function copyButton(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(block.querySelector("pre").textContent, button));
  return button;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or a page without TLS, which has no clipboard
    toast("This browser lets no page copy. Select the code and copy it by hand.", "stop");
    return;
  }
  button.textContent = "Copied";
  announce("Copied");
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function complete() {
  showAll();
  for (const block of document.querySelectorAll(".prose .code:not(:has(> .copy))")) block.append(copyButton(block));
  // What is wider than its place is scrolled by keys, too.
  for (const wide of document.querySelectorAll(".prose:has(math), .prose pre, .prose table")) {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
  }
}

let isDue = false;
new MutationObserver(() => {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => { isDue = false; complete(); });
}).observe(document.getElementById("main"), { childList: true, subtree: true });
complete();

toggle?.addEventListener("click", toggleRaw);
document.addEventListener("keydown", (event) => {
  if (event.key !== KEY || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target) || toggle?.hidden !== false || document.querySelector("dialog[open]")) return;
  toggleRaw();
});
