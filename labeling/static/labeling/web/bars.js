// Tells the style sheets how high the bar of actions at the bottom is just now, as --acts: what is scrolled into view
// stops above it. Its height changes with its words and with the width of the screen.

const acts = document.querySelector(".acts");

if (acts) {
  const tell = () => document.documentElement.style.setProperty("--acts", `${Math.ceil(acts.getBoundingClientRect().height)}px`);
  new ResizeObserver(tell).observe(acts);
  tell();
}
