// Says the key of every control to people who do not see it: what stands in a <kbd> becomes aria-keyshortcuts of the
// control around it. Marks single characters as such, so that keys.css shows none where it would be typed.

const NAMES = { "⏎": "Enter", Esc: "Escape", Ctrl: "Control", "↑": "ArrowUp", "↓": "ArrowDown" };
const MAIN = "Control+Enter";

function shortcut(kbd) {
  return kbd.textContent.trim().split(" ").map((name) => NAMES[name] ?? name).join("+");
}

// Two buttons may share the main key, which belongs to one of them at a time: the one that has data-key then.
function acts(control, keys) {
  return keys !== MAIN || control.matches("[data-key], [data-ctrl-enter], [data-save]");
}

function tell() {
  for (const kbd of document.querySelectorAll("kbd")) {
    const keys = shortcut(kbd);
    kbd.toggleAttribute("data-single", keys.length === 1);
    const around = kbd.closest("a, button, summary, label");
    const control = around?.control ?? around;
    if (!control || control.closest("dialog table")) continue;
    if (acts(around, keys) && !kbd.hidden) control.setAttribute("aria-keyshortcuts", keys);
    else control.removeAttribute("aria-keyshortcuts");
  }
}

tell();
new MutationObserver(tell).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-key"] });
