// The review page: boxes for what the reviewer says. Opening one focuses its text, closing it gives the focus back to
// its button. After a decision the focus is at the head of the next dialogue, after a comment at its message.

document.documentElement.classList.add("has-js");

const BOXES = ".return-box, .comment-box";
let openedByHand = null; // a box that opens by itself, with words from before, takes no focus

document.addEventListener("click", ({ target }) => {
  const summary = target.closest("summary");
  if (summary?.parentElement.matches(BOXES)) openedByHand = summary.parentElement;
  const closed = target.closest("[data-close]")?.closest(BOXES);
  if (!closed) return;
  closed.open = false;
  closed.querySelector("summary").focus();
});

document.addEventListener("toggle", ({ target }) => {
  if (target === openedByHand && target.open) focusText(target);
}, { capture: true });

function focusText(box) {
  box.querySelector("textarea").focus({ preventScroll: true });
  box.querySelector("form").scrollIntoView({ block: "nearest" });
}

// A comment was added, taken back or refused: the message is new.
document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  if (!elt.matches("article.written")) return;
  const box = elt.querySelector(".comment-box");
  if (box?.open) focusText(box);
  else box?.querySelector("summary").focus();
});

const refused = document.querySelector(":is(.return-box, .comment-box) .errorlist");
if (refused) focusText(refused.closest(BOXES));
else if (document.querySelector(".messages .notice, .sheet-of-paper > .notice")) document.querySelector("h1").focus();
