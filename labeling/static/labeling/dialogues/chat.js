// The chat page. The composer autosaves as everywhere; sending is disabled while an answer is being sampled or chosen.

import { followEnd } from "./follow.js";
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

followEnd(document.getElementById("desk"));

// An answer under way is stopped from the composer too.
form.elements.content.addEventListener("keydown", (event) => {
  const stop = document.querySelector("#thread [data-stop]");
  if (event.key !== "Escape" || !stop) return;
  event.preventDefault();
  stop.click();
});
