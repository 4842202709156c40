// Keeps the words of every text area in this browser from the first keystroke, so that a reload, a closed tab, a lost
// network or an expired session loses none of them: by person, address and field, until the server has stored them.
// Text areas with data-keeper="own" are left to scripts that keep them on the server as well; a line of free text is
// kept if it has data-keep.

import { bringBackTo, typedEarly, write } from "./early.js";

const FIELDS = "textarea:not([readonly], [data-keeper='own']), input[data-keep]";
const SENT = "parley:sent";
const LONGEST_DEPARTURE = 5000; // milliseconds from the submit event to the beginning of the navigation that it causes

const { user } = document.body.dataset;
const bases = new WeakMap(); // field: the saved text that its words began from
const unkept = new Map(); // used where localStorage is disabled or full; lost with the page

function keyOf(field) {
  // The address that the form is sent to: a page that shows a refused form again has another address than the form's.
  const path = new URL(field.form?.getAttribute("action") || location.pathname, location.href).pathname;
  return `parley:words:${user}:${path}:${field.name}`;
}

function recall(key) {
  if (unkept.has(key)) return unkept.get(key);
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}

function forget(key) {
  unkept.delete(key);
  try { localStorage.removeItem(key); } catch { /* storage is disabled: nothing was stored */ }
}

function keep(field) {
  const key = keyOf(field);
  const kept = { text: field.value, base: bases.get(field) };
  if (kept.text === kept.base || kept.text.trim() === "") return forget(key);
  try { localStorage.setItem(key, JSON.stringify(kept)); } catch { unkept.set(key, kept); }
}

// The server has stored what was sent. What was typed since is still kept.
function forgetStored(sent) {
  for (const [key, text] of sent) if (recall(key)?.text === text) forget(key);
}

function wordsIn(fields) {
  return [...fields].filter((field) => field.matches(FIELDS)).map((field) => [keyOf(field), field.value]);
}

// ---- What became of the form that led here -----------------------------------------------

// The server answers a form that it has stored with a redirect, and shows a form again that it refuses. A page that is
// reached in another way (a failed network, Back) or that shows an error says nothing of what was stored.
function settleSent() {
  let sent = null;
  try {
    sent = JSON.parse(sessionStorage.getItem(SENT));
    sessionStorage.removeItem(SENT);
  } catch { /* storage is disabled: words were kept with the page only */ }
  const [arrival] = performance.getEntriesByType("navigation");
  if (sent === null || sent.user !== user || !arrival?.redirectCount) return;
  if (performance.timeOrigin - sent.at > LONGEST_DEPARTURE || document.querySelector(".notice.error, .notice.stop:not([hidden])")) return;
  forgetStored(sent.words);
}

document.addEventListener("submit", (event) => {
  const words = event.defaultPrevented ? [] : wordsIn(event.target.elements);
  if (words.length === 0) return;
  const sent = { user, words, at: performance.timeOrigin + performance.now() };
  try { sessionStorage.setItem(SENT, JSON.stringify(sent)); } catch { /* storage is disabled */ }
});

// Scripts that send a form by themselves say so once the server has stored it.
document.addEventListener("parley:stored", ({ target }) => forgetStored(wordsIn(target.elements)));

document.addEventListener("htmx:beforeSwap", ({ detail: { xhr, requestConfig, target } }) => {
  const { elt, verb, parameters } = requestConfig;
  if (verb !== "post" || xhr.status !== 200) return;
  const fields = elt.matches("form") ? elt.elements : target.querySelectorAll(FIELDS);
  forgetStored(wordsIn(fields).filter(([key, text]) => recall(key) !== null && [...Object.values(parameters)].includes(text)));
});

// ---- Bringing words back -----------------------------------------------------------------

function begin(field) {
  if (bases.has(field)) return;
  const kept = recall(keyOf(field));
  const wasRefused = field.form?.querySelector(".errorlist") !== null;
  const early = typedEarly(field);
  bases.set(field, kept?.base ?? field.defaultValue);
  if (kept === null) { if (early !== null && isFresh()) keep(field); return; }
  if (kept.text.trim() !== field.defaultValue.trim()) {
    if (early === null || early === kept.text) return bringBack(field, kept);
    bringBackTo(field, kept.text);
    return keep(field);
  }
  if (wasRefused) return;
  forget(keyOf(field)); // it is stored; only the answer was lost
  bases.set(field, field.defaultValue);
}

// On a page that is reloaded or gone back to, the browser itself puts earlier words into fields.
function isFresh() {
  return performance.getEntriesByType("navigation")[0]?.type === "navigate";
}

function bringBack(field, { text, base }) {
  const notice = document.getElementById("kept-words").content.firstElementChild.cloneNode(true);
  notice.dataset.state = base === field.defaultValue ? "back" : "changed";
  notice.addEventListener("click", ({ target }) => {
    const choice = target.closest("button")?.dataset.put;
    if (choice === "aside") { text = field.value; write(field, field.defaultValue); }
    if (choice === "back") write(field, text);
    if (choice) notice.dataset.state = choice;
  });
  field.value = text;
  if (field.matches("textarea")) field.before(notice); // a long one ends far below what is seen
  else field.after(notice);
  field.dispatchEvent(new Event("input", { bubbles: true })); // a preview beside it follows
  const box = field.closest("details:not(.menu)");
  if (box) box.open = true;
}

settleSent();
if (user) {
  for (const field of document.querySelectorAll(FIELDS)) begin(field);
  document.addEventListener("htmx:load", ({ detail: { elt } }) => {
    for (const field of elt.querySelectorAll(FIELDS)) begin(field);
  });
  document.addEventListener("input", ({ target }) => { if (target.matches(FIELDS)) { begin(target); keep(target); } });
}
