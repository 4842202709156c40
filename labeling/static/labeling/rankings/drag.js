// Drags a completion to a shelf by its handle, with mouse, pen or touch. Only the handle drags, so that
// a finger on the text scrolls the page. Finds shelves by [data-shelf] and the dock's places by [data-drop]; knows
// nothing of the board.

import { openDock } from "./dock.js";

const EDGE = 110; // pixels from the upper and lower edge in which the page scrolls
const FASTEST = 16; // pixels a frame

// onDrop(card, name) gets the shelf's number, "none" for the unranked, or "line".
export function dragByHandle(root, { words, onDrop }) {
  root.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest(".handle");
    if (!handle || event.button !== 0) return;
    event.preventDefault();
    const card = handle.closest(".completion");
    handle.setPointerCapture(event.pointerId);
    root.classList.add("is-dragging");
    card.classList.add("is-dragged");
    const dock = openDock(root, { x: event.clientX, y: event.clientY, words });
    let [x, y] = [event.clientX, event.clientY];
    let over = null;
    let frame = 0;

    // By animation frame and not by movement, so that the page also scrolls under a hand that holds still.
    const follow = () => {
      if (over?.dataset.drop === undefined) window.scrollBy(0, speedAt(y));
      const place = document.elementFromPoint(x, y)?.closest("[data-drop], [data-shelf]") ?? null;
      if (place !== over) {
        over?.classList.remove("is-over");
        place?.classList.add("is-over");
        over = place;
      }
      frame = requestAnimationFrame(follow);
    };
    const move = (moved) => { [x, y] = [moved.clientX, moved.clientY]; };
    const finish = (ended) => {
      cancelAnimationFrame(frame);
      handle.removeEventListener("pointermove", move);
      handle.removeEventListener("pointerup", finish);
      handle.removeEventListener("pointercancel", finish);
      const place = document.elementFromPoint(ended.clientX, ended.clientY)?.closest("[data-drop], [data-shelf]");
      root.classList.remove("is-dragging");
      card.classList.remove("is-dragged");
      over?.classList.remove("is-over");
      dock.remove();
      if (ended.type === "pointerup" && place) onDrop(card, place.dataset.drop ?? place.dataset.shelf);
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", finish);
    handle.addEventListener("pointercancel", finish);
    follow();
  });
}

function speedAt(y) {
  const above = EDGE - y;
  const below = y - (window.innerHeight - EDGE);
  const depth = Math.max(above, below, 0) / EDGE;
  return Math.sign(below - above) * Math.ceil(FASTEST * Math.min(depth, 1));
}
