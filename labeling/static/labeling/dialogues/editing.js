// Unsaved edits of messages are stored in this browser from the first keystroke, so that Esc, or whatever else closes
// the edit form, loses nothing. The message then says that an edit is put aside; the form, opened again, restores it.

import { bringBackTo, typedEarly } from "../web/early.js";
import * as storage from "../web/own_storage.js";
import { announce } from "../web/parley.js";

const putAside = document.getElementById("put-aside").content;
const discarded = document.getElementById("discarded").content;
const broughtBack = document.getElementById("brought-back").content;
const unkept = new Map(); // used where localStorage is disabled or full; lost with the page

const nameOf = (article) => `edit:${article.id}`;

function recall(article) {
  return unkept.get(nameOf(article)) ?? storage.recall(nameOf(article));
}

function forget(article) {
  unkept.delete(nameOf(article));
  storage.forget(nameOf(article));
}

// `seen` is stored with the text, so that the server can detect that the message was changed elsewhere since.
function keep(article) {
  const { content, seen } = article.querySelector(".edit-form").elements;
  const isChanged = content.value !== content.defaultValue || article.querySelector(".conflict") !== null;
  if (!isChanged || content.value.trim() === "") { forget(article); return false; }
  store(article, { content: content.value, seen: seen.value });
  return true;
}

function store(article, kept) {
  try { storage.keep(nameOf(article), kept); } catch { unkept.set(nameOf(article), kept); }
}

function bringBack(article, kept) {
  const form = article.querySelector(".edit-form");
  const { content, seen } = form.elements;
  if (article.querySelector(".conflict")) return;
  if (kept.content === content.defaultValue) { forget(article); return; } // it was saved; only the response was lost
  if (kept.content === content.value) return; // typed just now, between the form's arrival and this event
  bringBackTo(content, kept.content);
  seen.value = kept.seen;
  keep(article);
  form.prepend(broughtBack.cloneNode(true));
}

// Id of the message whose edit form closes, or whose comment is answered: the focus goes to its own button, not to the
// page.
let edited = null;

document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  if (elt.id === "thread" && edited) {
    document.getElementById(edited)?.querySelector("[data-tool='edit']")?.focus();
    edited = null;
  }
  for (const article of elt.matches("article.written") ? [elt] : elt.querySelectorAll("article.written")) {
    storage.adopt(nameOf(article));
    const kept = recall(article);
    const text = article.querySelector(".edit-form textarea");
    if (kept === null && text && typedEarly(text) !== null) keep(article);
    if (kept === null) continue;
    if (article.querySelector(".edit-form")) bringBack(article, kept);
    else if (article.querySelector("[data-tool='edit']")) article.querySelector(".body").prepend(putAside.cloneNode(true));
  }
});

document.addEventListener("input", ({ target }) => {
  if (target.matches(".edit-form textarea")) keep(target.closest("article"));
});

document.addEventListener("click", ({ target }) => {
  const article = target.closest("article.written");
  if (target.closest(".edit-form [data-escape], .edit-form [data-ctrl-enter], [data-answers]")) edited = article.id;
  if (target.closest("[data-next-comment]")) goToComment();
  if (target.closest(".edit-form [data-escape]") && keep(article)) announce(putAside.querySelector("span").textContent);
  if (target.closest("[data-bring-back]")) article.querySelector("[data-tool='edit']").click();
  if (target.closest("[data-discard]")) discard(article, target.closest(".put-aside"));
  if (target.closest("[data-saved-text]")) writeSavedText(article);
});

function goToComment() {
  const open = document.querySelector(".comment-said.is-open").closest("article");
  open.scrollIntoView({ block: "start" });
  (open.querySelector(".edit-form textarea") ?? open.querySelector("[data-tool='edit']")).focus({ preventScroll: true });
}

// A returned dialogue opens at the first message with a comment, of which the edit form is open.
const begun = document.querySelector(".is-edited");
if (begun) {
  begun.scrollIntoView({ block: "start" });
  begun.querySelector("textarea").focus({ preventScroll: true });
}

// It can be undone for as long as the message stays as it is on the page.
function discard(article, note) {
  const kept = recall(article);
  forget(article);
  const undo = discarded.firstElementChild.cloneNode(true);
  undo.querySelector("button").addEventListener("click", () => {
    store(article, kept);
    const back = putAside.firstElementChild.cloneNode(true);
    undo.replaceWith(back);
    back.querySelector("button").focus();
  });
  note.replaceWith(undo);
  undo.querySelector("button").focus();
}

// Replace the edit by the saved text with execCommand, so that Ctrl-Z brings the edit back.
function writeSavedText(article) {
  const { content, seen } = article.querySelector(".edit-form").elements;
  seen.value = seen.defaultValue;
  content.select();
  document.execCommand("insertText", false, content.defaultValue);
  content.focus();
  article.querySelector(".brought-back").remove();
}

// The edit was saved: remove it from storage, unless more was typed while the request was under way.
document.addEventListener("htmx:beforeSwap", ({ detail: { xhr, requestConfig } }) => {
  const { elt, verb, parameters } = requestConfig;
  const article = verb === "post" && xhr.status === 200 && elt.matches(".edit-form") ? elt.closest("article") : null;
  if (article && recall(article)?.content === parameters.content) forget(article);
});
