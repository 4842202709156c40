// Words that were typed into a text area before the page's scripts were there, as happens on a slow line. Text areas
// whose words are restored on a page of its own have autocomplete="off": else a browser may put earlier words there.

const FIELDS = "textarea:not([readonly]), input[data-keep]";
const typed = new Map([...document.querySelectorAll(FIELDS)].filter((field) => field.value !== field.defaultValue).map((field) => [field, field.value]));

// Null if nothing was typed.
export function typedEarly(field) {
  return typed.get(field) ?? null;
}

// What was typed into the fields of an element: pairs of field and words.
export function typedEarlyIn(root) {
  return [...typed].filter(([field]) => root.contains(field));
}

// Write restored words into a field. What was typed early stays, after them, and a notice says so.
export function bringBackTo(field, words) {
  const early = typedEarly(field);
  if (early === null || words.includes(early)) { field.value = words; return; }
  if (early.includes(words)) { field.value = early; return; }
  const fromEnd = field.value === early ? early.length - field.selectionEnd : 0;
  field.value = `${words}\n\n${early}`;
  if (document.activeElement === field) field.selectionStart = field.selectionEnd = field.value.length - fromEnd;
  field.before(joinedNotice(field, words, early));
}

function joinedNotice(field, words, early) {
  const notice = document.getElementById("kept-words").content.firstElementChild.cloneNode(true);
  notice.dataset.state = "joined";
  notice.addEventListener("click", ({ target }) => {
    if (target.closest("button")?.dataset.put !== "apart") return;
    write(field, field.value.startsWith(words) ? field.value.slice(words.length).trimStart() : early);
    notice.remove();
  });
  return notice;
}

// With execCommand, so that Ctrl-Z undoes it.
export function write(field, text) {
  field.focus();
  field.select();
  document.execCommand(text === "" ? "delete" : "insertText", false, text);
}
