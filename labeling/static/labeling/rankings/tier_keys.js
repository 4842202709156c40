// Arrows among the tiers of a card only look: they move the focus, and choose nothing (WCAG 3.2.2). Space and Enter
// choose. A browser's own arrows choose at once, which would move the card away under the first of them.

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function chooseBySpace(root) {
  root.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (!target.matches("input[name^='shelf:']") || event.altKey || event.ctrlKey || event.metaKey) return;
    if (key === "Enter") { event.preventDefault(); target.click(); }
    if (!(key in STEPS)) return;
    event.preventDefault();
    const radios = [...target.closest(".tiers").querySelectorAll("input")];
    radios.at((radios.indexOf(target) + STEPS[key]) % radios.length).focus();
  });
}
