// The differences of two completions that are chosen: the words in which they differ are marked in both cards.

import { ShownText, paint } from "./shown_text.js";
import { differences } from "./word_differences.js";

export class Compare {
  // `pair()` gives the ids to begin with, `leave()` gives the focus back to the board.
  constructor(root, { cards, letters, pair, leave, words }) {
    Object.assign(this, { cards, letters, pair, leave, words });
    this.opener = root.querySelector("#differences-open");
    this.panel = root.querySelector("#differences");
    this.choices = [...this.panel.querySelectorAll("select")];
    this.opener.addEventListener("click", () => (this.panel.hidden ? this.open() : this.close()));
    this.panel.addEventListener("change", () => this.render());
    this.panel.addEventListener("click", ({ target }) => { if (target.dataset.close !== undefined) this.close(); });
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.close();
    });
  }

  open() {
    for (const [index, id] of this.pair().entries()) this.choices[index].value = id;
    this.panel.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.choices[1].focus();
    this.render();
  }

  close() {
    this.panel.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    this.render();
    this.leave();
  }

  render() {
    paint("differs", []);
    const [one, other] = this.choices.map(({ value }) => value);
    if (this.panel.hidden) return;
    const [ours, theirs] = [new ShownText(this.cards.get(one)), new ShownText(this.cards.get(other))];
    const found = differences(ours.text, theirs.text);
    const marked = one === other ? [] : [[ours, found.one], [theirs, found.other]];
    paint("differs", marked.flatMap(([shown, { parts }]) => parts.flatMap(([from, to]) => shown.ranges(from, to))));
    this.panel.querySelector("[role=status]").textContent = this.sentence(one, other, found);
  }

  sentence(one, other, found) {
    if (one === other) return this.words.choose_two;
    if (!found.one.num && !found.other.num) return this.words.same_words;
    const said = found.isAligned ? this.words.differ : this.words.differ_widely;
    return said.replace("%1", found.one.num).replace("%2", this.letters.get(one)).replace("%3", found.other.num).replace("%4", this.letters.get(other));
  }
}
