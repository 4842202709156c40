// Chatting: what is said is kept like any text; while an answer is awaited nothing more can be said.

import { beginComposer, form } from "./fragments.js";

const say = document.getElementById("add-message");

const composer = beginComposer((composer) => {
  say.disabled = composer.isEmpty || document.querySelector("#thread [data-stream], #thread .candidate form") !== null;
});

document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt.id !== "thread") return;
  composer.onChange();
  // Where an answer has come and nothing else has the focus, it is the trainer's turn to speak.
  const waits = document.querySelector("#thread [data-run]") !== null;
  if (!waits && document.activeElement === document.body) form.elements.content.focus();
  if (document.activeElement === form.elements.content) event.detail.elt.lastElementChild?.scrollIntoView({ block: "end" });
});
document.addEventListener("parley:dialogue-changed", (event) => {
  if (event.detail.added) composer.text.focus();
});
