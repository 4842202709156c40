// Chatting: what is said is kept like any text; while an answer is awaited nothing more can be said.

import { beginComposer, form } from "./desk.js";

const say = document.getElementById("add-message");

const composer = beginComposer((composer) => {
  say.disabled = composer.isEmpty || document.querySelector("#thread [data-stream], #thread .candidate form") !== null;
});

document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt.id !== "thread") return;
  composer.onChange();
  if (document.activeElement === form.elements.content) event.detail.elt.lastElementChild?.scrollIntoView({ block: "end" });
});
document.addEventListener("parley:dialogue-changed", (event) => {
  if (event.detail.added) composer.text.focus();
});
