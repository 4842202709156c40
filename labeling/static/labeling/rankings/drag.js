// Drags a completion to a shelf by its handle, with mouse, pen or touch. Only the handle drags, so that
// a finger on the text scrolls the page. Finds shelves by [data-shelf]; knows nothing of the board.

export function dragByHandle(root, onDrop) {
  root.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest(".handle");
    if (!handle || event.button !== 0) return;
    event.preventDefault();
    const card = handle.closest(".completion");
    const pointer = event.pointerId;
    handle.setPointerCapture(pointer);
    root.classList.add("is-dragging");
    card.classList.add("is-dragged");
    let over = null;

    const follow = (moved) => {
      const shelf = shelfAt(moved.clientX, moved.clientY);
      if (shelf !== over) {
        over?.classList.remove("is-over");
        shelf?.classList.add("is-over");
        over = shelf;
      }
      scrollNearEdge(moved.clientY);
    };
    const finish = (ended) => {
      handle.removeEventListener("pointermove", follow);
      handle.removeEventListener("pointerup", finish);
      handle.removeEventListener("pointercancel", finish);
      root.classList.remove("is-dragging");
      card.classList.remove("is-dragged");
      over?.classList.remove("is-over");
      if (ended.type === "pointerup" && over) onDrop(card, over.dataset.shelf);
    };
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", finish);
    handle.addEventListener("pointercancel", finish);
  });
}

function shelfAt(x, y) {
  return document.elementFromPoint(x, y)?.closest("[data-shelf]") ?? null;
}

function scrollNearEdge(y) {
  const margin = 80;
  if (y < margin + 48) window.scrollBy(0, -14);
  else if (y > window.innerHeight - margin) window.scrollBy(0, 14);
}
