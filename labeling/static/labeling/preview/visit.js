// A visitor's chat: sending, what was refused, and the answer that streams in. Without it every form still works.

import { followEnd } from "../dialogues/follow.js";
import "../dialogues/streaming.js";

document.documentElement.classList.add("has-js");

const form = document.getElementById("composer");
const text = form.elements.content;
const problem = document.getElementById("composer-problem");
const sends = form.querySelectorAll("[data-sends]");

// Nothing can be said while an answer is being written or waits to be chosen.
function showWhetherItSends() {
  const waits = document.querySelector("#thread [data-stream], #thread .of-two") !== null;
  for (const button of sends) button.disabled = waits || text.value.trim() === "";
}

text.addEventListener("input", showWhetherItSends);
// While typing, every key types. Esc leaves the text, so that single keys choose an answer.
text.addEventListener("keydown", (event) => { if (event.key === "Escape") form.focus({ preventScroll: true }); });
let sent = "";
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt !== form) return;
  sent = text.value;
  problem.hidden = true;
});
document.addEventListener("parley:said", () => {
  if (text.value.startsWith(sent)) text.value = text.value.slice(sent.length).trimStart(); // what was typed since stays
  text.dispatchEvent(new Event("input", { bubbles: true })); // and is what is kept (web/keeping.js)
  text.focus();
});
document.addEventListener("parley:problem", (event) => {
  problem.hidden = false;
  problem.querySelector("p").textContent = event.detail.value;
  problem.scrollIntoView({ block: "nearest" });
});
document.addEventListener("htmx:load", (event) => { if (event.detail.elt.id === "thread") showWhetherItSends(); });

showWhetherItSends();
followEnd(document.getElementById("desk"));
