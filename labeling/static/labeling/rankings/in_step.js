// Scrolling in step, in the columns layout: each text scrolls within its card, and where one is scrolled the others
// follow, all as far through as that one.

const STORED = "parley:in-step";

export function scrollInStep(root) {
  const toggle = root.querySelector("#in-step");
  const placed = new WeakMap(); // where this file scrolled a text to, whose scroll event is nobody's

  function texts() {
    return [...root.querySelectorAll(".completion > .prose:not([hidden])")];
  }

  function apply(isOn) {
    root.classList.toggle("in-step", isOn);
    toggle.setAttribute("aria-pressed", String(isOn));
    for (const text of root.querySelectorAll(".completion > .prose")) {
      if (isOn) text.tabIndex = 0; // what scrolls is reached by keyboard
      else text.removeAttribute("tabindex");
    }
  }

  function follow({ target }) {
    if (!root.matches(".in-step[data-layout='columns']") || !target.matches?.(".completion > .prose")) return;
    if (Math.abs(target.scrollTop - (placed.get(target) ?? -1)) < 2) return;
    const room = target.scrollHeight - target.clientHeight;
    for (const text of texts()) {
      if (text === target) continue;
      text.scrollTop = room > 0 ? (target.scrollTop / room) * (text.scrollHeight - text.clientHeight) : 0;
      placed.set(text, text.scrollTop);
    }
    placed.delete(target);
  }

  toggle.addEventListener("click", () => {
    const isOn = toggle.getAttribute("aria-pressed") !== "true";
    apply(isOn);
    try { localStorage.setItem(STORED, isOn ? "on" : "off"); } catch { /* private mode: it is not remembered */ }
  });
  root.addEventListener("scroll", follow, { capture: true, passive: true });
  let remembered = null;
  try { remembered = localStorage.getItem(STORED); } catch { /* as above */ }
  apply(remembered === "on");
}
