// What every page shares: the CSRF token, menus, keys that press buttons, titles of times, toasts, failed requests.
// It is a convenience: pages work without it where that is cheap to have.

export function announce(text) {
  const region = document.getElementById("live");
  if (region) region.textContent = text;
}

export function toast(text, kind = "") {
  const stack = document.getElementById("toasts");
  if (!stack) return;
  const notice = document.createElement("div");
  notice.className = `notice ${kind}`;
  notice.setAttribute("role", kind === "stop" ? "alert" : "status");
  notice.textContent = text;
  stack.append(notice);
  setTimeout(() => notice.remove(), kind === "stop" ? 12000 : 5000);
}

// The cookie comes first: it is renewed when the person signs in again in another tab, the page's copy is not.
export function csrfToken() {
  const cookie = document.cookie.match(/csrftoken=([^;]+)/);
  return cookie ? cookie[1] : JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = csrfToken();
  delete event.detail.parameters.csrfmiddlewaretoken; // the page's copy may be older than the sign-in
});
document.addEventListener("submit", (event) => {
  const token = event.target.elements.csrfmiddlewaretoken;
  if (token) token.value = csrfToken();
}, { capture: true });

// Refuse a too large file here: sending it, only for the server to refuse it, can take minutes.
document.addEventListener("submit", (event) => {
  const input = event.target.querySelector("input[type=file][data-largest]");
  if (!input?.files[0] || input.files[0].size <= Number(input.dataset.largest)) return;
  event.preventDefault();
  toast(input.dataset.tooLarge, "stop");
});

export function isTyping(target) {
  return target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]") !== null;
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

const singleKeysAct = document.body.dataset.singleKeys !== "off";

// A character that would press a button, as people who speak to their computer or whose hands shake can switch off.
function isSingleKey(event) {
  return event.key?.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target);
}

// Where they are switched off, they are not shown either.
function hideSingleKeys(root) {
  for (const kbd of root.querySelectorAll("kbd")) {
    if (/^[\w?=<>/]$/.test(kbd.textContent)) (kbd.closest("tr") ?? kbd).hidden = true;
  }
}
if (!singleKeysAct) {
  hideSingleKeys(document);
  document.addEventListener("htmx:load", ({ detail }) => hideSingleKeys(detail.elt));
}

// Hide three kinds of key events from all other scripts, hence the capture phase. First, keys of an input method, whose
// Esc and Enter end a conversion (Safari sends them after its end, recognisable by keyCode 229 alone). Second, repeats
// of a held key, except for keys that move. A held key still types; a held Enter presses a control only once. Third,
// single keys where the person has switched them off.
addEventListener("keydown", (event) => {
  const composes = event.isComposing || event.keyCode === 229;
  const repeats = event.repeat && !/^(Arrow.*|[jk])$/.test(event.key);
  if (!composes && !repeats && (singleKeysAct || !isSingleKey(event))) return;
  event.stopImmediatePropagation();
  const writes = event.target.matches("textarea") && !isMainKey(event);
  if (repeats && event.key === "Enter" && !writes) event.preventDefault();
}, { capture: true });

export function isMainKey(event) {
  return event.key === "Enter" && (event.ctrlKey || event.metaKey);
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    event.target.closest("form")?.querySelector("[data-escape]")?.click();
  }
  if (document.querySelector("dialog:modal")) return; // the page behind it does nothing
  if (isMainKey(event)) {
    // A form's own Ctrl-Enter control has precedence over the page's.
    const own = event.target.closest("form")?.querySelector("[data-ctrl-enter]:not(:disabled)");
    const main = own ?? document.querySelector("[data-key='Control+Enter']:not(:disabled)");
    if (main) { event.preventDefault(); main.click(); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  // Enter and space belong to the link or button that has the focus.
  if ([" ", "Enter"].includes(event.key) && event.target.closest("a, button, summary, input, label")) return;
  // An open menu has the keys of its choices; those of the page come after.
  const choice = document.querySelector(`details.menu[open] [data-choice="${CSS.escape(event.key)}"]`);
  if (choice) { event.preventDefault(); choice.click(); return; }
  const control = document.querySelector(`[data-key="${CSS.escape(event.key)}"]:not(:disabled)`);
  if (!control || control.offsetParent === null) return;
  event.preventDefault();
  const before = document.activeElement;
  control.click();
  if (document.activeElement === before) control.focus(); // unless the control itself has moved the focus
});

// Times are written in the account's zone, wherever the browser is. The title has the year, the seconds and the zone.
const fullTime = { dateStyle: "medium", timeStyle: "long", timeZone: document.body.dataset.timeZone };
for (const time of document.querySelectorAll("time[datetime]")) {
  if (!time.title) time.title = new Date(time.dateTime).toLocaleString("en-GB", fullTime);
}

document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 422 || status === 409) return; // the response itself shows what is wrong
  if (status === 413) toast("That is too large to be sent. Your text is still here; make it shorter and try again.", "stop");
  else if (status === 401 || status === 403) toast("You are signed out or may not do this. Your text is still here; sign in in another tab and try again.", "stop");
  else toast("Parley could not do that just now. Nothing was lost; please try again.", "stop");
});
document.addEventListener("htmx:sendError", () => toast("No connection. Nothing was lost; it will work again when the network is back.", "stop"));
document.addEventListener("htmx:beforeSwap", (event) => {
  if ([409, 422].includes(event.detail.xhr.status)) { event.detail.shouldSwap = true; event.detail.isError = false; }
});
// Over a board, what was just done is said for as long as a toast.
for (const notice of document.querySelectorAll(".messages .notice:not(.warning, .error)")) {
  if (document.querySelector(".ranking")) setTimeout(() => notice.remove(), 8000);
}

document.addEventListener("parley:toast", (event) => toast(event.detail.text, event.detail.kind));

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
});
