// One board in two tabs. The server keeps one draft; a tab whose draft was saved over says so, shows both orders, and
// saves nothing more until its person has chosen. Also says when the board was submitted elsewhere.

import { announce } from "../web/parley.js";
import { Board } from "./board.js";
import { SIGNS } from "./strengths.js";

export class TwoTabs {
  // `current` gives the draft of this tab, `take(draft)` puts another one on the board.
  constructor(root, { keeper, letters, numShelves, current, take, words }) {
    Object.assign(this, { keeper, letters, numShelves, current, take, words });
    this.panel = root.querySelector("#two-boards");
    this.notice = root.querySelector("#submitted-elsewhere");
    this.panel?.addEventListener("click", ({ target }) => {
      if (target.dataset.keep) this.choose(target.dataset.keep);
    });
  }

  show(theirs) {
    this.theirs = theirs;
    this.panel.querySelector(".mine").textContent = this.order(this.current());
    this.panel.querySelector(".theirs").textContent = this.order(theirs);
    if (!this.panel.hidden) return;
    this.panel.hidden = false;
    this.panel.scrollIntoView({ block: "nearest" });
    announce(this.panel.querySelector("p").textContent);
  }

  choose(which) {
    this.panel.hidden = true;
    this.keeper.settle();
    if (which === "theirs") this.take(this.theirs);
  }

  // The order of a draft in letters, B ≫ A = C | D, then what is still unranked, and the note.
  order(draft) {
    const board = new Board([...this.letters.keys()], this.numShelves);
    board.restore(draft.board ?? {});
    const words = [];
    let lineDrawn = false;
    for (let shelf = 1; shelf <= this.numShelves; shelf += 1) {
      const tier = board.on(shelf);
      if (!tier.length) continue;
      const startsLine = !lineDrawn && board.isUnacceptable(tier[0]);
      const strength = board.strengthAbove(shelf);
      if (words.length && (strength || !startsLine)) words.push(SIGNS[strength]);
      if (startsLine) words.push("|");
      words.push(tier.map((id) => this.letters.get(id)).join(" = "));
      lineDrawn ||= startsLine;
    }
    const unranked = board.unplaced().map((id) => this.letters.get(id)).join(", ");
    const said = [words.join(" "), unranked && `${this.words.unranked}: ${unranked}`, draft.note && `“${draft.note}”`];
    return said.filter(Boolean).join("; ");
  }

  submittedElsewhere() {
    if (!this.notice.hidden) return;
    this.notice.hidden = false;
    this.notice.scrollIntoView({ block: "nearest" });
  }
}
