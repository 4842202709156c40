// How much better each tier is than the next: the choices between two tiers, which show what the board holds. Keys act on
// what stands above the focused card; where a choice has the focus, on that.

import { STRONGEST } from "./board.js";

export const SIGNS = { 0: ">", 1: ">", 2: "≫", 3: "⋙" }; // as labeling.rankings.views.board has them

export class Strengths {
  // `focused` gives the id of the focused card, `say(lower, strength)` changes the board and what is drawn of it.
  constructor(root, { board, letters, focused, say, words }) {
    Object.assign(this, { board, letters, focused, say, words });
    this.gaps = new Map([...root.querySelectorAll(".gap")].map((gap) => [Number(gap.dataset.gap), gap]));
    for (const [lower, gap] of this.gaps) {
      gap.addEventListener("change", ({ target }) => this.say(lower, Number(target.value)));
      gap.addEventListener("click", ({ target }) => {
        const button = target.closest("[data-step]");
        if (button) this.step(Number(button.dataset.step), lower);
      });
    }
    root.addEventListener("focusin", () => this.mark());
  }

  // The shelf under the gap that keys act on; undefined where nothing stands above the focused card.
  current() {
    const gap = document.activeElement?.closest(".gap");
    const lower = gap ? Number(gap.dataset.gap) : this.board.shelves.get(this.focused());
    return this.board.between(lower) === null ? undefined : lower;
  }

  // One more or one less; returns whether there is a gap.
  step(by, lower = this.current()) {
    if (lower === undefined) return false;
    this.say(lower, Math.min(Math.max(this.board.strengthAbove(lower) + by, 0), STRONGEST));
    return true;
  }

  describe(lower) {
    const [upper] = this.board.gaps().find(([, below]) => below === lower);
    const chosen = this.gaps.get(lower).querySelector("input:checked + span")?.textContent;
    return this.words.strength_is.replace("%1", this.named(upper)).replace("%2", this.named(lower)).replace("%3", chosen ?? this.words.strength_unsaid);
  }

  named(shelf) {
    return this.board.on(shelf).map((id) => this.letters.get(id)).join(" = ");
  }

  // The gaps of which nothing was said, A > B.
  missing() {
    if (!this.gaps.size) return [];
    return this.board.gaps().filter(([, lower]) => !this.board.strengthAbove(lower)).map(([upper, lower]) => `${this.named(upper)} > ${this.named(lower)}`);
  }

  draw() {
    const uppers = new Map(this.board.gaps().map(([upper, lower]) => [lower, upper]));
    for (const [lower, gap] of this.gaps) {
      const strength = this.board.strengthAbove(lower);
      gap.hidden = !uppers.has(lower);
      for (const radio of gap.querySelectorAll("input")) radio.checked = Number(radio.value) === strength;
      gap.querySelector("[data-step='-1']").disabled = strength === 0;
      gap.querySelector("[data-step='1']").disabled = strength === STRONGEST;
      if (gap.hidden) continue;
      const said = this.words.better_than.replace("%1", this.named(uppers.get(lower))).replace("%2", this.named(lower));
      gap.querySelector(".gap-said").textContent = said;
    }
    this.mark();
  }

  // Which gap the keys act on.
  mark() {
    const current = this.current();
    for (const [lower, gap] of this.gaps) gap.classList.toggle("is-current", lower === current);
  }
}
