// The text of a card as it is shown, and marks over parts of it which leave it as it is: the browser's highlights where
// it has them, else mark elements.

export const APART = "\0"; // between two paragraphs; no text holds it
const BLOCKS = "p, li, pre, h1, h2, h3, h4, h5, h6, td, th, dt, dd, blockquote, div";

export class ShownText {
  constructor(card) {
    this.nodes = [];
    this.starts = []; // where in `text` each node begins
    this.text = "";
    let block = null;
    for (const prose of card.querySelectorAll(":scope > .prose:not([hidden])")) {
      const walker = document.createTreeWalker(prose, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (node.parentElement.closest("button")) continue;
        const inside = node.parentElement.closest(BLOCKS);
        if (inside !== block) this.text += APART;
        block = inside;
        this.nodes.push(node);
        this.starts.push(this.text.length);
        this.text += node.data;
      }
    }
  }

  // The part between two places of the text, a range in each node that it touches.
  ranges(from, to) {
    const found = [];
    for (const [index, node] of this.nodes.entries()) {
      const start = Math.max(from - this.starts[index], 0);
      const end = Math.min(to - this.starts[index], node.length);
      if (start >= end) continue;
      const range = new Range();
      range.setStart(node, start);
      range.setEnd(node, end);
      found.push(range);
    }
    return found;
  }
}

// Mark these ranges, in the order of the page, and nothing else by this name; the style sheet says how.
export function paint(name, ranges) {
  if (CSS.highlights) {
    CSS.highlights.set(name, new Highlight(...ranges));
    return;
  }
  for (const mark of document.querySelectorAll(`mark.${name}`)) {
    const around = mark.parentNode;
    mark.replaceWith(...mark.childNodes);
    around.normalize();
  }
  for (const range of [...ranges].reverse()) {
    range.surroundContents(Object.assign(document.createElement("mark"), { className: name }));
  }
}
