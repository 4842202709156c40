// What the pages of writing and chatting share: the composer, its state line, and what Esc does.

import { Composer } from "./composer.js";
import { announce } from "../web/parley.js";
import "./editing.js";
import "./streaming.js";

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
  if (["offline", "signed-out", "conflict", "again"].includes(state)) announce(stateLine.textContent);
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

  // Wait for an autosave under way before a request that changes the dialogue, which would make the save stale.
  document.addEventListener("htmx:confirm", (event) => {
    if (event.detail.verb !== "post") return;
    event.preventDefault();
    composer.settle().then(() => event.detail.issueRequest());
  });
  document.addEventListener("htmx:afterRequest", () => composer.saveSoon());
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
