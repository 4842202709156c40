// The chat page. The composer autosaves as everywhere; sending is disabled while an answer is being sampled or chosen.

import { beginComposer, form } from "./fragments.js";

const say = document.getElementById("add-message");

const composer = beginComposer((composer) => {
  say.disabled = composer.isEmpty || document.querySelector("#thread [data-stream], #thread .candidate form") !== null;
});

document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt.id !== "thread") return;
  composer.onChange();
  // The answer has arrived: focus the composer, unless the person has focused something else.
  const waits = document.querySelector("#thread [data-run]") !== null;
  if (!waits && [document.body, form].includes(document.activeElement)) form.elements.content.focus();
  if (document.activeElement === form.elements.content) event.detail.elt.lastElementChild?.scrollIntoView({ block: "end" });
});
document.addEventListener("parley:dialogue-changed", (event) => {
  if (event.detail.added) composer.text.focus();
});
