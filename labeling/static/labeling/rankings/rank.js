// The ranking screen: connects the page with the board (board.js), dragging and the stored draft.
// The radio buttons of the page hold the ranking; this file moves each card to the shelf that its radio names.

import { bringBackTo, typedEarlyIn } from "../web/early.js";
import * as storage from "../web/own_storage.js";
import { announce, isTyping } from "../web/parley.js";
import { Betters } from "./better.js";
import { Board } from "./board.js";
import { dragByHandle } from "./drag.js";
import { Keeper } from "./draft_storage.js";
import { Ratings } from "./ratings.js";
import { readingAids } from "./reading_aids.js";
import { Strengths } from "./strengths.js";
import { layouts } from "./layouts.js";
import { TwoTabs } from "./two_tabs.js";
import { chooseBySpace } from "./tier_keys.js";

const root = document.getElementById("ranking");
const form = document.getElementById("ranking-form");
const facts = JSON.parse(document.getElementById("ranking-facts").textContent);
const cards = new Map([...root.querySelectorAll(".completion")].map((card) => [card.dataset.id, card]));
const letters = new Map([...cards].map(([id, card]) => [id, card.dataset.letter]));
const board = new Board([...cards.keys()], facts.num_shelves);
const ratings = new Ratings(cards, () => { offerRatingOrder(); showContradictions(); showLacks(); keep(); });
const note = form.querySelector("#note-on-ranking"); // not on boards of practice and references
const submitButton = form.querySelector("#submit-ranking");
const keeper = new Keeper({ name: facts.name, urls: facts.urls, version: facts.draft_version, showState, showExpiry, onConflict: (draft) => tabs.show(draft), onSubmitted: () => tabs.submittedElsewhere() });
const betters = new Betters(root, {
  url: facts.urls.better,
  deliver: (...sent) => keeper.deliver(...sent),
  changed: keep,
  words: facts.words,
});
const view = layouts(root, cards, { initial: facts.layout, changed: keep });

const strengths = new Strengths(root, { board, letters, focused: view.focused, say: sayStrength, words: facts.words });
const tabs = new TwoTabs(root, { keeper, letters, numShelves: facts.num_shelves, current, take, words: facts.words });
readingAids(root, { cards, letters, order: () => board.order(), view, words: facts.words });

let expiresAt = 0;

document.documentElement.classList.add("has-board");
const remembered = keeper.recall();
const draft = remembered && remembered.at > facts.draft_saved_at * 1000 ? remembered.draft : facts.draft;
restore(draft);
note?.addEventListener("input", keep);
keepEarlyWords();
// Above the bars of the screen, for which the style sheet leaves a margin.
for (const kind of ["focus", "input"]) note?.addEventListener(kind, () => note.scrollIntoView({ block: "nearest" }));
if (facts.urls.renew) countDown();
draw();
view.focus(board.unplaced()[0] ?? board.order()[0]);

// ---- Actions -----------------------------------------------------------------------------

function act(id, change, said) {
  if (change) {
    draw();
    keep();
    view.focus(id);
  } // else it stays where it is, which is said all the same
  announce(`${letters.get(id)} ${said ?? describe(id)}`);
}

function place(id, shelf, { advance = false } = {}) {
  act(id, board.place(id, shelf));
  const next = board.unplaced()[0];
  if (advance && next) view.focus(next);
}

function sayStrength(lower, strength) {
  if (board.say(lower, strength)) {
    draw();
    keep();
  }
  announce(strengths.describe(lower));
}

// What the ranking lacks before it can be submitted, in words; empty where it lacks nothing.
function lacks() {
  const named = (ids) => ids.map((id) => letters.get(id)).join(", ");
  const { words } = facts;
  if (facts.asks.ratings && ratings.missing().length) return words.not_rated.replace("%s", named(ratings.missing()));
  if (!board.isComplete()) return words.still_unranked.replace("%s", named(board.unplaced()));
  return strengths.missing().length ? words.strength_missing.replace("%s", strengths.missing().join(", ")) : "";
}

function describe(id) {
  const shelf = board.shelves.get(id);
  if (shelf === null) return facts.words.unranked;
  const mates = board.on(shelf).filter((mate) => mate !== id).map((mate) => letters.get(mate));
  const place = facts.words.tier.replace("%s", shelf);
  const tied = mates.length ? `, ${facts.words.tied_with.replace("%s", mates.join(", "))}` : "";
  return `${place}${tied}${board.isUnacceptable(id) ? `, ${facts.words.unacceptable}` : ""}`;
}

function undo() {
  if (!board.undo()) return;
  draw();
  keep();
  announce(facts.words.undone);
}

function restore(kept) {
  if (kept?.board) board.restore(kept.board);
  if (kept?.ratings) ratings.restore(kept.ratings);
  if (kept?.better) betters.restore(kept.better);
  if (note && kept?.note !== undefined) note.value = kept.note;
}

// Words that were typed before this script was there stay beside those that were restored.
function keepEarlyWords() {
  for (const [field] of typedEarlyIn(root)) {
    bringBackTo(field, field.value === field.defaultValue ? "" : field.value);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function current() {
  return { ...facts.kept_with, board: board.snapshot(), ratings: ratings.snapshot(), better: betters.snapshot(), note: note?.value, layout: view.current() };
}

function keep() {
  keeper.keep(current());
}

function take(other) {
  restore(other);
  draw();
  keep();
}

root.addEventListener("change", ({ target }) => {
  if (!target.name?.startsWith("shelf:")) return;
  const isByKey = target.matches(":focus-visible"); // then the focus stays: nobody asked for another place
  place(target.closest(".completion").dataset.id, Number(target.value), { advance: !isByKey });
  if (isByKey) target.focus();
});
chooseBySpace(root);

root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  const id = button.closest(".completion").dataset.id;
  const acts = {
    tie: () => act(id, board.tieWithAbove(id)),
    unacceptable: () => act(id, board.toggleUnacceptable(id)),
    up: () => act(id, board.move(id, -1)),
    down: () => act(id, board.move(id, 1)),
    unplace: () => act(id, board.unplace(id)),
  };
  acts[button.dataset.act]?.();
});

dragByHandle(root, {
  words: facts.words,
  onDrop({ dataset: { id } }, shelf) {
    if (shelf === "none") act(id, board.unplace(id));
    else if (shelf !== "line") place(id, Number(shelf));
    else if (!board.isUnacceptable(id)) act(id, board.toggleUnacceptable(id));
  },
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
  const id = view.focused();
  const onRadio = event.target.matches("input[type=radio]");
  if (event.altKey && ["ArrowUp", "ArrowDown"].includes(event.key)) {
    event.preventDefault();
    act(id, board.move(id, event.key === "ArrowUp" ? -1 : 1));
  } else if (event.altKey || event.target.closest("dialog, .sheet, details[open].rating")) {
    return;
  } else if (/^[1-9]$/.test(event.key) && Number(event.key) <= facts.num_shelves) {
    event.preventDefault();
    if (event.target.closest(".gap")) return; // a tier is not what a number means there
    place(id, Number(event.key), { advance: true });
  } else if (event.key === "=") {
    event.preventDefault();
    act(id, board.tieWithAbove(id));
  } else if (facts.asks.strengths && (event.key === "<" || event.key === ">")) {
    event.preventDefault();
    if (!strengths.step(event.key === ">" ? 1 : -1)) announce(facts.words.no_gap);
  } else if (event.key === "r" && ratings.open(id)) {
    event.preventDefault();
  } else if (event.key === "x") {
    act(id, board.toggleUnacceptable(id));
    if (board.unplaced().length) view.focus(board.unplaced()[0]);
  } else if (event.key === "0" || event.key === "Backspace") {
    act(id, board.unplace(id));
  } else if (event.key === "u") {
    undo();
  } else if (event.key === "c" || event.key === "w") {
    event.preventDefault();
    betters.open(event.key === "c" ? id : "");
  } else if (!onRadio && ["ArrowDown", "ArrowRight", "j"].includes(event.key)) {
    event.preventDefault();
    view.step(board.order(), 1);
  } else if (!onRadio && ["ArrowUp", "ArrowLeft", "k"].includes(event.key)) {
    event.preventDefault();
    view.step(board.order(), -1);
  }
});

form.querySelector("#undo").addEventListener("click", undo);
root.querySelector("#sort-by-rating")?.addEventListener("click", () => {
  if (board.sortByRatings(ratings.overall())) { draw(); keep(); announce(facts.words.sorted); }
});

// ---- Drawing -----------------------------------------------------------------------------

function draw() {
  const active = document.activeElement;
  for (const [id, card] of cards) {
    const shelf = board.shelves.get(id);
    for (const radio of card.querySelectorAll("input[name^='shelf:']")) radio.checked = Number(radio.value) === shelf;
    const unacceptable = board.isUnacceptable(id);
    card.classList.toggle("is-unacceptable", unacceptable);
    card.querySelector("[data-act=unacceptable]").setAttribute("aria-pressed", unacceptable);
    card.querySelector(".place").textContent = describe(id);
  }
  for (const id of board.order()) shelfElement(board.shelves.get(id)).querySelector(".cards").append(cards.get(id));
  drawShelves();
  drawOverview();
  showContradictions();
  offerRatingOrder();
  form.elements.line.value = board.line > facts.num_shelves ? "" : board.line;
  form.querySelector("#undo").disabled = board.past.length === 0;
  strengths.draw();
  showLacks();
  if (root.contains(active)) active.focus({ preventScroll: true });
}

function showLacks() {
  const sentence = lacks();
  submitButton.disabled = sentence !== "";
  form.querySelector("#why-not").hidden = sentence === "";
  form.querySelector("#why-not").textContent = sentence;
  form.querySelector(".acts").classList.toggle("lacks-more", board.isComplete()); // an unranked card shows that itself
}

function shelfElement(shelf) {
  return root.querySelector(`[data-shelf="${shelf ?? "none"}"]`);
}

function drawShelves() {
  const unplaced = shelfElement(null);
  unplaced.classList.toggle("is-empty", board.unplaced().length === 0);
  unplaced.style.setProperty("--unranked", Math.max(1, board.unplaced().length));
  let lineDrawn = false;
  for (let shelf = 1; shelf <= facts.num_shelves; shelf += 1) {
    const element = shelfElement(shelf);
    const mates = board.on(shelf);
    element.classList.toggle("is-empty", mates.length === 0);
    element.querySelector(".tie-note").hidden = mates.length < 2;
    const startsLine = !lineDrawn && mates.length > 0 && shelf >= board.line;
    element.querySelector(".line").hidden = !startsLine;
    lineDrawn ||= startsLine;
  }
}

function drawOverview() {
  for (const chip of form.querySelectorAll(".overview [data-id]")) {
    const { id } = chip.dataset;
    const shelf = board.shelves.get(id);
    chip.querySelector(".at").textContent = shelf ?? "–";
    chip.classList.toggle("is-placed", shelf !== null);
    chip.classList.toggle("is-unacceptable", board.isUnacceptable(id));
    chip.setAttribute("aria-label", `${letters.get(id)}: ${describe(id)}`);
  }
}

function showContradictions() {
  const note = root.querySelector("#contradictions");
  if (!note) return;
  const found = board.contradictions(ratings.overall());
  note.hidden = found.length === 0;
  note.querySelector("p").textContent = found
    .map(([rated, ranked]) => facts.words.contradiction.replaceAll("%1", letters.get(rated)).replaceAll("%2", letters.get(ranked)))
    .join(" ");
}

function offerRatingOrder() {
  const button = root.querySelector("#sort-by-rating");
  if (button) button.hidden = ratings.overall().size < cards.size || board.unplaced().length < cards.size;
}

form.querySelector(".overview").addEventListener("click", (event) => {
  const chip = event.target.closest("[data-id]");
  if (chip) view.focus(chip.dataset.id);
});

// ---- Saving and lease --------------------------------------------------------------------

function showState(state) {
  const element = document.getElementById("save-state");
  element.dataset.state = state;
  const time = new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: facts.time_zone });
  element.textContent = facts.words[`state_${state.replace("-", "_")}`].replace("%s", time);
}

function showExpiry({ seconds_left: seconds }) {
  expiresAt = Date.now() + seconds * 1000;
}

function countDown() {
  showExpiry({ seconds_left: facts.seconds_left });
  setInterval(showTimeLeft, 1000);
}

function showTimeLeft() {
  const left = Math.max(0, Math.round((expiresAt - Date.now()) / 1000));
  const clock = document.getElementById("lease-clock");
  clock.textContent = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : facts.words.expired;
  clock.closest(".lease").classList.toggle("is-short", left < 120);
}

// ---- Sending -----------------------------------------------------------------------------

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("input:not([type=radio], [type=checkbox])")) event.preventDefault();
});

form.addEventListener("submit", async (event) => {
  if (betters.unsaved() !== undefined) {
    event.preventDefault();
    betters.open(betters.unsaved());
    return complain(facts.words.better_unsaved);
  }
  if (event.submitter?.dataset.plain !== undefined) return keeper.forget();
  event.preventDefault();
  const abstained = event.submitter?.name === "abstained" ? event.submitter.value : null;
  if (abstained === null && lacks() !== "") return;
  submitButton.disabled = true;
  const judged = JSON.stringify(judgement());
  const { status, body } = await keeper.submit({
    ...said(),
    key: form.elements.key.value,
    shelves: Object.fromEntries(board.shelves),
    line: board.line > facts.num_shelves ? null : board.line,
    strengths: board.snapshot().strengths,
    abstained,
    ratings: ratings.snapshot(),
    layout: view.current(),
  });
  if (body.next) {
    form.dispatchEvent(new Event("parley:stored", { bubbles: true }));
    const isAsSent = abstained !== null || !body.own || JSON.stringify(judgement()) === judged;
    if (isAsSent) return location.assign(body.next);
    history.replaceState(null, "", keepAsChange(body));
    location.reload(); // the address of the board is that of the ranking
  } else {
    submitButton.disabled = false;
    showState(status === 401 || status === 403 ? "signed-out" : "refused");
    complain(body.error ?? "", body.own);
  }
});

// The values of further fields of this page's form, marked with data-said.
function said() {
  return Object.fromEntries([...form.querySelectorAll("[data-said]")].filter((field) => field.type !== "radio" || field.checked).map((field) => [field.name, field.value]));
}

function judgement() {
  return { board: board.snapshot(), ratings: ratings.snapshot(), note: note?.value };
}

// What was changed while the ranking was being sent is no part of it: keep it as a change that is not submitted, and
// return the address of the ranking, which says so.
function keepAsChange({ own, ranking, change_name: name }) {
  try { storage.keep(name, { draft: { ...current(), changes: ranking }, at: Date.now() }); } catch { /* storage full, or private mode */ }
  return `${own}#changed-while-sent`;
}

// With `own`, the address of the ranking that counts, there is a way to it.
function complain(sentence, own) {
  const problem = document.getElementById("problem");
  problem.hidden = sentence === "";
  problem.querySelector("p").textContent = sentence;
  if (own) problem.querySelector("p").append(" ", Object.assign(document.createElement("a"), { href: own, textContent: facts.words.open_own }));
  if (sentence) problem.scrollIntoView({ block: "center" });
}
