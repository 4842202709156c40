// Ratings of single completions on the ranking screen: overall 1 to 7, yes/no flags, a note.
// The inputs in the page are the state; this only reads and restores them.

export class Ratings {
  constructor(cards, changed) {
    this.cards = cards;
    for (const card of cards.values()) {
      card.querySelector(".rating")?.addEventListener("input", () => { this.showSummary(card); changed(); });
    }
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
