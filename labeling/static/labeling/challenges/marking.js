// A juror's keys: 0 to 4 mark the criterion that is at hand and lead to its reason. At hand is the one with the focus,
// else the first without a mark. parley.js presses what has data-key, so that single keys can be switched off.

const criteria = [...document.querySelectorAll("[data-criterion]")];
let lastKey = "";

function isMarked(criterion) {
  return criterion.querySelector("input:checked") !== null;
}

function bringToHand(current) {
  for (const criterion of criteria) {
    const isCurrent = criterion === current;
    criterion.classList.toggle("is-current", isCurrent);
    for (const label of criterion.querySelectorAll("[data-mark]")) {
      if (isCurrent) label.dataset.key = label.dataset.mark;
      else delete label.dataset.key;
      label.querySelector("kbd").hidden = !isCurrent;
    }
  }
}

document.addEventListener("keydown", (event) => { lastKey = event.key; }, { capture: true });
document.addEventListener("pointerdown", () => { lastKey = ""; }, { capture: true });

for (const criterion of criteria) {
  criterion.addEventListener("focusin", () => bringToHand(criterion));
  criterion.addEventListener("change", ({ target }) => {
    // Arrows walk through the marks of a group and stay there; a digit says what is meant.
    if (target.type === "radio" && /^[0-4]$/.test(lastKey)) criterion.querySelector("textarea").focus();
  });
}

if (criteria.length) bringToHand(criteria.find((one) => !isMarked(one)) ?? criteria[0]);
