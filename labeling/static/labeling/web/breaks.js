// Says in the top bar when a person has worked for as long as they chose without a break. Never while they type or
// drag, and nothing moves for it. Time is counted in this browser, over all its tabs.

import { announce } from "./parley.js";

const BREAK = 5 * 60_000; // milliseconds, as all times here; without a key or a click for so long, they had one
const QUIET = 5_000; // since the last key or click, before anything is said
const EVERY = 1_000;

const word = document.getElementById("break");

if (word) {
  const key = `parley:work:${document.body.dataset.user}`;
  const after = Number(word.dataset.after) * 60_000;
  let work = recall();

  function recall() {
    const now = Date.now();
    try {
      const { since, last } = JSON.parse(localStorage.getItem(key));
      if (now - last < BREAK && since <= now) return { since, last };
    } catch { /* storage is disabled or empty: the work begins now */ }
    return { since: now, last: now };
  }

  function keep() {
    try { localStorage.setItem(key, JSON.stringify(work)); } catch { /* storage is disabled: this page counts alone */ }
  }

  function act() {
    if (Date.now() - work.last < EVERY) return;
    work = { ...recall(), last: Date.now() };
    keep();
    if (Date.now() - work.since < after) word.hidden = true; // they came back from a break
  }

  function look() {
    const { since } = recall();
    if (!word.hidden || Date.now() - since < after || document.querySelector("dialog[open], .is-dragging")) return;
    word.hidden = false;
    announce(word.querySelector(".words").textContent);
  }

  for (const kind of ["keydown", "pointerdown", "wheel"]) addEventListener(kind, act, { passive: true, capture: true });
  let pressed = -Infinity;
  addEventListener("keydown", () => { pressed = Date.now(); }, { capture: true });
  word.querySelector("button").addEventListener("click", () => {
    word.hidden = true;
    work = { since: Date.now(), last: Date.now() };
    keep();
  });
  setInterval(() => { if (Date.now() - pressed > QUIET) look(); }, EVERY);
  look();
  act();
}
