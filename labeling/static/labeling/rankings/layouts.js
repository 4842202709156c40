// Layout of the completions: stacked, columns or two at a time; on a phone one at a time. Also
// holds which completion is focused, since in two of the layouts that decides what is shown.

export function layouts(root, cards, { initial, changed }) {
  const order = [...cards.keys()];
  let layout = initial;
  let focusedId = order[0];
  const sides = [order[0], order[1]];

  function apply() {
    root.dataset.layout = layout;
    for (const radio of document.querySelectorAll("input[name='layout']")) radio.checked = radio.value === layout;
    for (const [id, card] of cards) {
      card.classList.toggle("is-current", id === focusedId);
      card.classList.toggle("is-left", id === sides[0]);
      card.classList.toggle("is-right", id === sides[1]);
    }
    for (const chip of document.querySelectorAll(".overview [data-id]")) {
      if (chip.dataset.id === focusedId) chip.setAttribute("aria-current", "true");
      else chip.removeAttribute("aria-current");
    }
  }

  // If the completion is not shown, it replaces the focused one of the two; the other one stays.
  function show(id) {
    if (!sides.includes(id)) sides[sides.indexOf(focusedId)] = id;
    focusedId = id;
    apply();
  }

  function focus(id) {
    show(id);
    const card = cards.get(id);
    card.focus({ preventScroll: true });
    if (layout !== "two") card.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  root.addEventListener("focusin", (event) => {
    const card = event.target.closest(".completion");
    if (card && card.dataset.id !== focusedId) show(card.dataset.id);
  });

  document.addEventListener("change", (event) => {
    if (event.target.name !== "layout") return;
    layout = event.target.value;
    apply();
    changed();
  });

  apply();
  return {
    current: () => layout,
    focused: () => focusedId,
    focus,
    show,
    step(ids, by) {
      const next = ids[ids.indexOf(focusedId) + by];
      if (next) focus(next);
    },
  };
}
