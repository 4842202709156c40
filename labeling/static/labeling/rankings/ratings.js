// Ratings of single completions on the ranking screen: overall 1 to 7, yes/no flags, a note.
// The inputs in the page are the state; this only reads and restores them.

import { isTyping } from "../web/parley.js";

export class Ratings {
  constructor(cards, changed) {
    this.cards = cards;
    for (const card of cards.values()) {
      const box = card.querySelector(".rating");
      box?.addEventListener("input", () => { this.showSummary(card); changed(); });
      box?.addEventListener("keydown", (event) => this.press(event, card));
    }
  }

  // Open the rating of this card, the focus on its overall value; returns whether there is one.
  open(id) {
    const box = this.cards.get(id).querySelector(".rating");
    if (!box) return false;
    box.open = true;
    box.querySelector("input[name^='overall:']:checked, input[name^='overall:']").focus();
    return true;
  }

  // Within an open rating 1 to 7 rate, and Enter, Esc or r lead back to the card.
  press(event, card) {
    const box = card.querySelector(".rating");
    if (!box.open || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (/^[1-7]$/.test(event.key)) {
      const radio = box.querySelector(`input[name^='overall:'][value='${event.key}']`);
      radio.click();
      radio.focus();
    } else if (["r", "Escape"].includes(event.key) || (event.key === "Enter" && event.target.matches("input"))) {
      box.open = false;
      card.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // The cards without an overall value, where ratings are asked for.
  missing() {
    const rated = this.overall();
    return [...this.cards].filter(([id, card]) => card.querySelector(".rating") && !rated.has(id)).map(([id]) => id);
  }

  overall() {
    const rated = new Map();
    for (const [id, card] of this.cards) {
      const checked = card.querySelector("input[name^='overall:']:checked");
      if (checked) rated.set(id, Number(checked.value));
    }
    return rated;
  }

  snapshot() {
    const ratings = {};
    for (const [id, card] of this.cards) {
      const box = card.querySelector(".rating");
      if (!box) continue;
      const flags = [...box.querySelectorAll("input[name^='flag:']:checked")].map((flag) => flag.value);
      const overall = box.querySelector("input[name^='overall:']:checked")?.value;
      const note = box.querySelector("textarea").value;
      if (overall || flags.length || note) ratings[id] = { overall: overall ? Number(overall) : null, flags, note };
    }
    return ratings;
  }

  restore(ratings) {
    for (const [id, card] of this.cards) {
      const box = card.querySelector(".rating");
      if (!box) continue;
      const rating = ratings[id] ?? { overall: null, flags: [], note: "" };
      for (const radio of box.querySelectorAll("input[name^='overall:']")) radio.checked = Number(radio.value) === rating.overall;
      for (const flag of box.querySelectorAll("input[name^='flag:']")) flag.checked = rating.flags.includes(flag.value);
      box.querySelector("textarea").value = rating.note;
      this.showSummary(card);
    }
  }

  showSummary(card) {
    const overall = card.querySelector("input[name^='overall:']:checked")?.value;
    card.querySelector(".rating .given").textContent = overall ? `${overall}/7` : "";
  }
}
