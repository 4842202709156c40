// Editors for texts written while ranking: a corrected completion, or a better one. Each is closed until it is
// opened; its text is part of the board's draft until it is submitted. A text is sent again until the server
// acknowledges it, always under the same key, so that it is stored once.

import { announce, isMainKey } from "../web/parley.js";

export class Betters {
  // deliver(url, body, onWait) sends a text; changed() is called after every change; words are translated texts.
  constructor(root, { url, deliver, changed, words }) {
    Object.assign(this, { url, deliver, changed, words });
    this.editors = new Map();
    for (const box of root.querySelectorAll(".better")) this._begin(box);
    setInterval(() => {
      const editor = [...this.editors.values()].find(({ text }) => text === document.activeElement);
      if (editor && document.visibilityState === "visible") editor.seconds += 1;
    }, 1000);
  }

  // Open the editor of a completion, or with "" the one for a better completion.
  open(id) {
    const editor = this.editors.get(id);
    if (!editor) return;
    editor.box.open = true;
    editor.text.focus();
  }

  // The id of the first editor whose text is neither submitted nor discarded, or undefined.
  unsaved() {
    return [...this.editors].find(([, editor]) => isChanged(editor))?.[0];
  }

  snapshot() {
    const kept = {};
    for (const [id, editor] of this.editors) {
      const { text, key, seconds } = editor;
      if (isChanged(editor)) kept[id] = { content: text.value, key, seconds };
    }
    return kept;
  }

  restore(kept) {
    for (const [id, { content, key, seconds }] of Object.entries(kept)) {
      const editor = this.editors.get(id);
      if (!editor) continue;
      Object.assign(editor, { key, seconds });
      editor.text.value = content;
      editor.box.open = true;
      this._draw(editor);
    }
  }

  _begin(box) {
    const text = box.querySelector("textarea");
    const editor = { box, text, key: newKey(), seconds: 0, original: text.defaultValue };
    this.editors.set(box.dataset.better, editor);
    text.addEventListener("input", () => { this._say(editor, ""); this._draw(editor); this.changed(); });
    box.addEventListener("toggle", () => { if (box.open && !isChanged(editor)) text.focus(); });
    box.querySelector("[data-save]").addEventListener("click", (event) => { event.preventDefault(); this._save(editor); });
    box.querySelector("[data-discard]").addEventListener("click", () => this._discard(editor));
    box.addEventListener("keydown", (event) => {
      const saves = isMainKey(event);
      if (!saves && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation(); // outside an editor, Ctrl-Enter submits the ranking
      if (saves) this._save(editor);
      else { box.open = false; (box.closest(".completion") ?? box.querySelector("summary")).focus(); }
    });
    this._draw(editor);
  }

  async _save(editor) {
    if (!isChanged(editor) || editor.sending) return;
    const sent = { completion: editor.box.dataset.better, content: editor.text.value, key: editor.key, seconds: editor.seconds };
    editor.sending = true;
    this._say(editor, this.words.better_sending);
    this._draw(editor);
    const { status, body } = await this.deliver(this.url, sent, () => this._say(editor, this.words.better_waiting));
    editor.sending = false;
    if (status !== 401) editor.key = newKey();
    if (status === 200) {
      if (editor.text.value === sent.content) this._reset(editor, body.sentence, body.url);
      else this._say(editor, body.sentence, body.url);
    } else {
      this._say(editor, "");
      this._complain(editor, body.error ?? this.words.state_signed_out);
    }
    this._draw(editor);
    this.changed();
  }

  // With execCommand, so that Ctrl-Z brings the text back.
  _discard(editor) {
    editor.text.focus();
    editor.text.select();
    document.execCommand(editor.original === "" ? "delete" : "insertText", false, editor.original);
    if (editor.text.value !== editor.original) editor.text.value = editor.original;
    editor.seconds = 0;
    this._say(editor, this.words.better_discarded);
    this._draw(editor);
    this.changed();
  }

  _reset(editor, sentence, url) {
    editor.text.value = editor.original;
    editor.seconds = 0;
    this._say(editor, sentence, url);
    this._draw(editor);
    this.changed();
  }

  _say(editor, sentence, url) {
    const state = editor.box.querySelector(".better-state");
    state.textContent = sentence;
    if (url) {
      const link = document.createElement("a");
      Object.assign(link, { href: url, target: "_blank", textContent: this.words.better_look });
      state.append(" ", link);
    }
    if (sentence) announce(sentence);
    editor.box.querySelector(".better-problem").hidden = true;
  }

  _complain(editor, sentence) {
    const problem = editor.box.querySelector(".better-problem");
    problem.querySelector("p").textContent = sentence;
    problem.hidden = false;
  }

  _draw(editor) {
    const changed = isChanged(editor);
    editor.box.classList.toggle("is-changed", changed);
    editor.box.querySelector("[data-save]").disabled = !changed || editor.sending;
    editor.box.querySelector("[data-discard]").disabled = !changed || editor.sending;
  }
}

function isChanged({ text, original }) {
  return text.value !== original && text.value.trim() !== "";
}

// A random UUID. Not crypto.randomUUID(), which browsers offer only over HTTPS and on localhost.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
