// What helps to read several long texts: search, differences and scrolling in step. Changes nothing of the ranking.

import { Compare } from "./compare.js";
import { Find } from "./find.js";
import { scrollInStep } from "./in_step.js";

export function readingAids(root, { cards, letters, order, view, words }) {
  const leave = () => view.focus(view.focused());
  const find = new Find(root, { show: view.show, leave, words });
  const compare = new Compare(root, { cards, letters, pair, leave, words });
  scrollInStep(root);

  // The focused completion and the one above it; of the first, the one below.
  function pair() {
    const ids = order();
    const at = ids.indexOf(view.focused());
    return [ids[at], ids[at - 1] ?? ids[at + 1]];
  }

  // Another view of the texts, rendered or as they are stored: the marks are of the one that is shown.
  new MutationObserver(() => { find.render(); compare.render(); }).observe(root, { subtree: true, attributeFilter: ["hidden"], attributes: true });
}
