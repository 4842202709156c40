// The dialogue editor: the role of the next message, taking suggestions, the preview, what Ctrl-Enter does.

import { beginComposer, facts, form, showState } from "./fragments.js";
import { announce, isMainKey, isTyping } from "../web/parley.js";
import { send } from "../web/sending.js";

const add = document.getElementById("add-message");
const submit = document.getElementById("submit-dialogue");
const note = document.getElementById("taken-note");
const toggle = document.getElementById("preview-toggle");
const preview = document.getElementById("composer-preview");

const REST = 1000; // milliseconds
let resting = null;

// Ctrl-Enter adds the message if there is text, else submits the dialogue.
function showMainKey(composer) {
  const [main, other] = composer.isEmpty ? [submit, add] : [add, submit];
  delete other.dataset.key;
  if (main === submit && resting) delete main.dataset.key;
  else main.dataset.key = "Control+Enter";
  main.classList.add("primary");
  other.classList.remove("primary");
  add.disabled = composer.isEmpty;
}

// Ctrl-Enter does not submit the dialogue just after a change: a hasty second press was meant to add the message.
function rest(composer) {
  clearTimeout(resting);
  resting = setTimeout(() => { resting = null; showMainKey(composer); }, REST);
  showMainKey(composer);
}

function showTakenNote(composer) {
  note.hidden = composer.completion === "";
  const unchanged = composer.suggestion && composer.text.value === composer.suggestion.content;
  note.querySelector("span").textContent = facts.words[unchanged ? "taken" : "edited"];
  for (const button of document.querySelectorAll("#suggestions .take")) {
    button.setAttribute("aria-pressed", String(button.closest("[data-completion]").dataset.completion === composer.completion));
  }
}

function showRoles({ composer_role: role, roles }) {
  for (const radio of form.elements.role) {
    radio.disabled = !roles[radio.value];
    radio.checked = radio.value === role;
  }
}

// The composer grows with its text: its end stays above the bar at the bottom.
new ResizeObserver(() => {
  if (document.activeElement === form.elements.content) form.scrollIntoView({ block: "nearest" });
}).observe(form);

const composer = beginComposer((composer, change) => {
  if (change?.roles) showRoles(change);
  if (change) rest(composer);
  else showMainKey(composer);
  showTakenNote(composer);
});
for (const radio of form.elements.role) radio.addEventListener("change", () => composer.changed());
document.getElementById("forget-suggestion").addEventListener("click", () => composer.startAfresh());

document.getElementById("snippets").addEventListener("click", ({ target }) => {
  const { snippet } = target.closest("button")?.dataset ?? {};
  if (snippet === undefined) return;
  document.getElementById("snippets").open = false;
  showPreview(false);
  composer.insert(snippet);
  announce(facts.words.inserted);
});

document.addEventListener("parley:dialogue-changed", (event) => {
  if (event.detail.added) { showPreview(false); composer.text.focus(); }
});
document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt.id === "suggestions") showTakenNote(composer);
  // A message was added above: what is written next stays in sight.
  if (event.detail.elt.id === "thread" && document.activeElement === composer.text) form.scrollIntoView({ block: "nearest" });
});

// Take a suggestion in the page; without JavaScript the same form posts it and reloads.
document.addEventListener("submit", (event) => {
  const candidate = event.target.closest("#suggestions [data-completion]");
  if (!candidate) return;
  event.preventDefault();
  const texts = JSON.parse(document.getElementById("suggestion-texts").textContent);
  showPreview(false);
  composer.take(candidate.dataset.completion, texts[candidate.dataset.completion]);
  announce(facts.words.taken);
});

async function showPreview(shown) {
  toggle.setAttribute("aria-pressed", String(shown));
  if (shown && document.activeElement === composer.text) toggle.focus();
  preview.hidden = !shown;
  composer.text.hidden = shown;
  if (!shown) return;
  const { status, body } = await send(preview.dataset.url, { text: composer.text.value });
  if (status === 200) preview.innerHTML = body.text; // sanitised by the server
  else preview.textContent = composer.text.value;
}
toggle.addEventListener("click", () => {
  const shown = toggle.getAttribute("aria-pressed") !== "true";
  showPreview(shown);
  if (!shown) composer.text.focus();
});

document.addEventListener("keydown", (event) => {
  if (isMainKey(event) && resting && composer.isEmpty && !event.defaultPrevented) {
    event.preventDefault();
    rest(composer);
    showState("again");
  }
  if (event.key === "w" && !(event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))) { event.preventDefault(); composer.text.focus(); }
});
