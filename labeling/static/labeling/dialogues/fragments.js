// What the pages of writing and chatting share: the composer, its state line, and what Esc does.

import { Composer } from "./composer.js";
import { announce } from "../web/parley.js";
import "./editing.js";
import "./streaming.js";

const SHOWN_AFTER = 300; // milliseconds

document.documentElement.classList.add("has-js");

export const facts = JSON.parse(document.getElementById("desk-facts").textContent);
export const form = document.getElementById("composer");
const stateLine = document.getElementById("save-state");
const problem = document.getElementById("composer-problem");

export function showState(state, detail = "") {
  stateLine.dataset.state = state;
  stateLine.textContent = state === "" ? "" : facts.words[state].replace("{}", detail);
  if (state === "signed-out") {
    const link = document.createElement("a");
    Object.assign(link, { href: facts.sign_in_url, target: "_blank", textContent: facts.words["sign-in"] });
    stateLine.append(" ", link);
  }
  if (["offline", "signed-out", "conflict", "again", "sending"].includes(state)) announce(stateLine.textContent);
}

// The form itself, and buttons that send it elsewhere.
const sendsText = (elt) => elt === form || elt.form === form;

let untilShown = null;

// On a fast line sending is over before it could be read. The button keeps the focus, so it is not disabled.
function showSending(elt) {
  clearTimeout(untilShown);
  const pressed = elt === form ? document.getElementById("add-message") : elt;
  for (const button of document.querySelectorAll("[data-sends]")) {
    button.toggleAttribute("aria-disabled", false);
    if (elt) button.setAttribute("aria-disabled", "true");
    if (!elt) showLabel(button, "");
  }
  if (elt) untilShown = setTimeout(() => { showLabel(pressed, "sending"); showState("sending"); }, SHOWN_AFTER);
  else if (stateLine.dataset.state === "sending") showState("");
}

function showLabel(button, state) {
  button.setAttribute("aria-busy", String(state !== ""));
  for (const label of button.querySelectorAll("[data-while]")) label.hidden = label.dataset.while !== state;
}

export function beginComposer(onChange) {
  const composer = new Composer({
    form,
    facts,
    onChange: () => onChange(composer),
    onState: showState,
    onStale: () => htmx.ajax("GET", facts.dialogue_url, { target: "#thread", swap: "outerHTML" }),
  });
  composer.restore(facts.last_message);
  onChange(composer);

  // Wait for an autosave under way before a request that changes the dialogue, which would make the save stale. While
  // the composer's text is being sent, a second press does nothing.
  document.addEventListener("htmx:confirm", (event) => {
    const { verb, elt, issueRequest } = event.detail;
    if (verb !== "post") return;
    event.preventDefault();
    if (!sendsText(elt)) { composer.settle().then(() => issueRequest()); return; }
    if (composer.isSending) return;
    composer.beginSending();
    showSending(elt);
    composer.settle().then(() => {
      composer.noteSent();
      issueRequest();
    });
  });
  document.addEventListener("htmx:afterRequest", ({ detail: { elt } }) => {
    if (!sendsText(elt)) { composer.saveSoon(); return; }
    composer.endSending();
    showSending(null);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt === form) problem.hidden = true;
  });
  document.addEventListener("parley:dialogue-changed", (event) => {
    composer.dialogueChanged(event.detail);
    onChange(composer, event.detail);
  });
  document.addEventListener("parley:problem", (event) => {
    problem.hidden = false;
    problem.querySelector("p").textContent = event.detail.value;
    for (const shown of [form, problem]) shown.scrollIntoView({ block: "nearest" });
  });
  return composer;
}

// While typing, every key types: Alt with a key is a character on a Mac, as Ctrl with Alt is on many other keyboards.
// Esc moves the focus from the text to its form, where single keys work.
form.tabIndex = -1;
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || event.target.closest(".edit-form")) return; // it closes the edit
  if (document.activeElement === form.elements.content) { form.focus({ preventScroll: true }); return; }
  document.querySelector("[data-stop]")?.click();
});

// In an empty composer, Arrow Up edits the last message.
form.elements.content.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowUp" || event.repeat || form.elements.content.value !== "") return;
  const tools = document.querySelectorAll("[data-tool='edit']");
  if (tools.length) { event.preventDefault(); tools[tools.length - 1].click(); }
});
