// Search within the completions: matches are marked in all cards, counted, and stepped through. Case does not matter,
// and a space stands for any space.

import { ShownText, paint } from "./shown_text.js";

const MOST = 1000; // matches that are marked

export class Find {
  // `show(id)` brings a card in sight, `leave()` gives the focus back to the board.
  constructor(root, { show, leave, words }) {
    Object.assign(this, { root, show, leave, words });
    this.opener = root.querySelector("#find-open");
    this.panel = root.querySelector("#find");
    this.input = this.panel.querySelector("input");
    this.at = 0;
    this.opener.addEventListener("click", () => this.open());
    this.input.addEventListener("input", () => { this.at = 0; this.render(); this.reveal(); });
    this.panel.addEventListener("click", ({ target }) => {
      if (target.dataset.find) this.step(Number(target.dataset.find));
      if (target.dataset.close !== undefined) this.close();
    });
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
      else if (event.key === "Enter" && event.target === this.input) this.step(event.shiftKey ? -1 : 1);
      else return;
      event.preventDefault();
    });
  }

  open() {
    this.panel.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.input.focus();
    this.input.select();
    this.render();
  }

  close() {
    this.panel.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    this.render();
    this.leave();
  }

  step(by) {
    if (!this.matches.length) return;
    this.at = (this.at + by + this.matches.length) % this.matches.length;
    this.render();
    this.reveal();
  }

  // Look anew, since what is shown may have changed, and mark what is found.
  render() {
    paint("found-now", []);
    paint("found", []);
    this.matches = this.panel.hidden ? [] : this.look();
    const others = this.matches.filter((_, index) => index !== this.at);
    paint("found", others.flatMap(({ ranges }) => ranges));
    paint("found-now", this.matches[this.at]?.ranges ?? []);
    this.panel.querySelector("[role=status]").textContent = this.count();
    for (const button of this.panel.querySelectorAll("[data-find]")) button.disabled = !this.matches.length;
  }

  look() {
    const words = this.input.value.trim().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const pattern = new RegExp(words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("\\s+"), "giu");
    const found = [];
    for (const card of this.root.querySelectorAll(".completion")) {
      const shown = new ShownText(card);
      for (const { index, 0: match } of shown.text.matchAll(pattern)) {
        if (found.length === MOST) return found;
        found.push({ id: card.dataset.id, ranges: shown.ranges(index, index + match.length) });
      }
    }
    return found;
  }

  count() {
    if (!this.input.value.trim()) return "";
    if (!this.matches.length) return this.words.not_found;
    const all = this.matches.length === MOST ? `${MOST}+` : this.matches.length;
    return this.words.found.replace("%1", this.at + 1).replace("%2", all);
  }

  // Bring the match that is stepped to into the middle of what is in sight.
  reveal() {
    const match = this.matches[this.at];
    if (!match) return;
    this.show(match.id);
    const [range] = match.ranges;
    const scroller = range.startContainer.parentElement.closest(".in-step .prose");
    if (scroller) scroller.scrollTop += range.getBoundingClientRect().top - scroller.getBoundingClientRect().top - scroller.clientHeight / 2;
    scrollBy({ top: range.getBoundingClientRect().top - innerHeight / 2, behavior: "instant" });
  }
}
