// While a card is dragged, every tier, the unranked and the line stand beside the hand as a column of places to drop it:
// over long completions the shelves themselves are often out of sight. Knows nothing of the board.

const BESIDE = 48; // pixels between the hand and the dock

export function openDock(root, { x, y, words }) {
  const dock = document.createElement("div");
  dock.className = "dock";
  dock.setAttribute("aria-hidden", "true"); // dragging is for the hand; the radios and keys do the same
  for (const shelf of root.querySelectorAll("[data-shelf]")) {
    const letters = [...shelf.querySelectorAll(".completion")].map((card) => card.dataset.letter).join(" ");
    dock.append(place(shelf.dataset.shelf, shelf.dataset.shelf === "none" ? words.unranked : shelf.dataset.shelf, letters));
  }
  dock.append(place("line", words.unacceptable, ""));
  document.body.append(dock);
  const { width, height } = dock.getBoundingClientRect();
  dock.style.left = `${Math.min(x + BESIDE, innerWidth - width - 8)}px`;
  dock.style.top = `${Math.max(8, Math.min(y - height / 2, innerHeight - height - 8))}px`;
  return dock;
}

function place(name, label, letters) {
  const element = document.createElement("div");
  element.dataset.drop = name;
  const strong = document.createElement("b");
  strong.textContent = label;
  element.append(strong, ` ${letters}`);
  return element;
}
