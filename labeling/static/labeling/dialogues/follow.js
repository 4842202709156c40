// Keeps the end of a chat in view while an answer streams in, as long as the reader has not scrolled away from it.

const NEAR = 80; // pixels from the end that still count as the end

const page = document.scrollingElement;
let atEnd = document.querySelector(".is-edited") === null; // a returned chat begins at the message to mend

const distance = () => page.scrollHeight - page.scrollTop - window.innerHeight;

export function followEnd(thread) {
  let lastTop = page.scrollTop;
  addEventListener("scroll", () => {
    // The page growing also raises the distance: only a scroll upwards is the reader's.
    if (distance() < NEAR) atEnd = true;
    else if (page.scrollTop < lastTop) atEnd = false;
    lastTop = page.scrollTop;
  }, { passive: true });
  new ResizeObserver(() => { if (atEnd) page.scrollTop = page.scrollHeight; }).observe(thread);
}
