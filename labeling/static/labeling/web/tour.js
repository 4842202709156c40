// The tour of a page: a dialog whose steps point at one thing each. It begins by itself at the first visit and from the
// table of keys whenever it is wanted. Skipped or finished, it is remembered with the account.

import { send } from "./sending.js";

const tour = document.getElementById("tour");

if (tour) {
  const steps = [...tour.querySelector("template").content.querySelectorAll("section")];
  const [title, words, place, next, back] = ["h2", ".words", ".place", "[data-tour='next']", "[data-tour='back']"].map((one) => tour.querySelector(one));
  const nextLabel = next.textContent;
  let shown = [];
  let at = 0;

  const target = () => document.querySelector(shown[at].dataset.at);

  function show() {
    document.querySelector(".in-tour")?.classList.remove("in-tour");
    title.textContent = shown[at].querySelector("h2").textContent;
    words.textContent = shown[at].querySelector("p").textContent;
    place.textContent = `${at + 1} / ${shown.length}`;
    back.disabled = at === 0;
    next.textContent = at === shown.length - 1 ? next.dataset.last : nextLabel;
    target().classList.add("in-tour");
    target().scrollIntoView({ block: "center" });
    // On the half of the screen that the thing is not on.
    const { top, bottom } = target().getBoundingClientRect();
    tour.classList.toggle("is-above", (top + bottom) / 2 > innerHeight / 2);
  }

  function begin() {
    // What is not on the page, such as suggestions for a user's message, has no step.
    shown = steps.filter((step) => document.querySelector(step.dataset.at)?.checkVisibility());
    at = 0;
    document.getElementById("keys")?.close();
    tour.showModal();
    next.focus();
    show();
  }

  next.addEventListener("click", () => {
    if (at === shown.length - 1) return tour.close();
    at += 1;
    show();
  });
  back.addEventListener("click", () => {
    at -= 1;
    show();
    if (at === 0) next.focus();
  });
  tour.addEventListener("close", () => {
    document.querySelector(".in-tour")?.classList.remove("in-tour");
    send(tour.dataset.seen, { name: tour.dataset.name }, { keepalive: true });
    window.scrollTo(0, 0);
  });
  document.addEventListener("click", ({ target: { dataset } }) => { if (dataset.tour === "begin") begin(); });
  if (!document.body.dataset.tours.split(" ").includes(tour.dataset.name)) begin();
}
