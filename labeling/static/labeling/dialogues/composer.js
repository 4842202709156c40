// Autosaves the text that is not a message yet: to localStorage at once, to the server a moment later, so that it
// survives a closed tab, a crash, a lost network and an expired session. Where the text was changed elsewhere too,
// both texts are shown and the person chooses. Tracks the suggestion that the text began as.

import { bringBackTo, typedEarly } from "../web/early.js";
import { adopt, forget, keep, recall } from "../web/own_storage.js";
import { send } from "../web/sending.js";

const SAVE_AFTER = 900; // milliseconds, as all times here
const TRY_AGAIN_AFTER = 8000;
const IDLE_AFTER = 60_000;
const MOST_LEFT = 20; // earlier texts that are remembered
const SHORTEST_PASTED = 20; // characters; a shorter text occurs in other texts by chance
const LONGEST_BEACON = 60_000; // browsers refuse a request that outlives its page above 64 kB

export class Composer {
  // onChange() is called after every change, also when sending begins or ends, onState(state, detail) to update the
  // state line, onStale() when the dialogue was changed elsewhere.
  constructor({ form, facts, onChange, onState, onStale }) {
    Object.assign(this, { form, onChange, onState, onStale });
    this.text = form.elements.content;
    this.url = facts.save_url;
    this.version = facts.version;
    this.name = `composer:${facts.dialogue}`;
    adopt(this.name);
    this.savedContent = this.text.defaultValue;
    this.dirty = false;
    this.saving = null;
    this.isSending = false; // the text is being added as a message
    this.sent = null; // the text of that message
    this.underWay = null; // the text of a save whose answer has not come
    this.timer = null;
    this.suggestion = null; // {before, content}: the text before the suggestion was taken, and the suggestion's
    this.lastText = this.text.value;
    this.left = []; // {completion, suggestion, text} of texts from suggestions that an undo or a paste may bring back
    this.seconds = 0;
    this.lastActivity = 0;
    this._listen();
  }

  get role() { return this.form.elements.role.value; }
  get completion() { return this.form.elements.completion.value; }
  set completion(id) { this.form.elements.completion.value = id; }
  get isEmpty() { return this.text.value.trim() === ""; }

  // Text in localStorage that the server may not have: restored, dropped, or shown as a conflict.
  restore(lastMessage) {
    const kept = recall(this.name);
    const content = kept === null || kept.synced ? "" : without(kept.content, kept.sending === lastMessage ? lastMessage : null);
    if (["", lastMessage, this.savedContent].includes(content)) { // the server has it; only the response was lost
      if (content !== "" && content === lastMessage) forget(this.name);
      if (typedEarly(this.text) !== null) this.changed();
      return;
    }
    // What the server has, or gets in a moment, may be this browser's own: of a tab that was gone before the answer came.
    this.underWay = kept.underWay;
    if (kept.version >= this.version || ["", kept.underWay].includes(this.savedContent)) {
      bringBackTo(this.text, content);
      this._follow(kept.completion);
      this.changed();
    } else {
      this._showConflict({ ...kept, content }, { content: this.savedContent, completion: this.completion });
    }
  }

  changed(inputType = "") {
    if (this.isEmpty || (this.suggestion && this.text.value === this.suggestion.before)) this._dropSuggestion();
    if (this.completion === "" && /^(history|insertFrom)/.test(inputType)) this._followBack();
    this.lastText = this.text.value;
    this.dirty = true;
    this._keep(false);
    if (!this.isSending) this.onState("saving");
    this.onChange();
    this.saveSoon();
  }

  saveSoon(after = SAVE_AFTER) {
    clearTimeout(this.timer);
    if (this.dirty) this.timer = setTimeout(() => this.save(), after);
  }

  // Insert a suggestion with execCommand, so that Ctrl-Z brings back the text before it.
  take(completion, content) {
    const before = this.text.value;
    this._rememberLeft();
    this.text.focus();
    this.text.select();
    if (!document.execCommand("insertText", false, content)) this.text.value = content;
    if (this.text.value !== content) this.text.value = content;
    this.completion = completion;
    this.suggestion = { before, content };
    this.changed();
  }

  // At the caret, and typed: it is the person's own text.
  insert(content) {
    this.text.focus();
    if (document.execCommand("insertText", false, content)) return;
    this.text.setRangeText(content, this.text.selectionStart, this.text.selectionEnd, "end");
    this.changed();
  }

  // With execCommand as well: Ctrl-Z brings the text back, and that it began as a suggestion.
  startAfresh() {
    this.text.focus();
    this.text.select();
    document.execCommand("delete");
    if (!this.isEmpty) this.text.value = "";
    this.changed();
  }

  // One save at a time, since each needs the version that the one before it returned.
  async save() {
    clearTimeout(this.timer);
    if (!this.dirty || this.isSending) return; // what is typed meanwhile is kept here, and saved once that is over
    if (this.saving) { await this.saving; return this.save(); }
    this.saving = this._saveOnce();
    await this.saving;
    this.saving = null;
  }

  // Called before a request that raises the dialogue's version: a save under way would be refused as stale.
  async settle() {
    clearTimeout(this.timer);
    if (this.saving) await this.saving;
  }

  beginSending() {
    this.isSending = true;
    this.onChange();
  }

  // The request leaves with the text as it is now.
  noteSent() {
    this.sent = this.text.value;
    if (!this.isEmpty) this._keep(false);
  }

  endSending() {
    this.isSending = false;
    if (this.sent) { // it was refused, or the network failed
      this.sent = null;
      this._keep(!this.dirty);
    }
    this.onChange();
    this.saveSoon();
  }

  // The dialogue has a new version; `added` says that the composer's text became a message.
  dialogueChanged({ version, added }) {
    this.version = version;
    if (!added) return;
    this.seconds = 0;
    this.form.elements.seconds.value = "";
    const { sent } = this;
    this.sent = null;
    if (this.isComposing) this.text.addEventListener("compositionend", () => this._takeOut(sent), { once: true });
    else this._takeOut(sent);
  }

  // Take what became a message out of the composer. What was typed meanwhile stays.
  _takeOut(sent) {
    const text = this.text.value;
    const rest = without(text, sent);
    this._dropSuggestion();
    this.left = []; // the next position has suggestions of its own
    if (rest !== text) {
      const fromEnd = text.length - this.text.selectionEnd;
      this.text.value = rest;
      this.text.selectionStart = this.text.selectionEnd = Math.max(0, rest.length - fromEnd);
    }
    this.savedContent = "";
    if (rest !== "") return this.changed();
    this.lastText = "";
    this.dirty = false;
    clearTimeout(this.timer);
    forget(this.name);
    this.onState("");
    this.onChange();
  }

  async _saveOnce() {
    const sent = { role: this.role, content: this.text.value, completion: this.completion };
    this.dirty = false;
    const lost = this.underWay; // of a save before, which may have been stored all the same
    this.underWay = sent.content;
    this._keep(false);
    const { status, body } = await send(this.url, { ...sent, version: this.version });
    if (status !== 0) this.underWay = null;
    if (status === 200) {
      this.version = body.version;
      this.savedContent = sent.content;
      if (!this.dirty) { this._keep(true); this.onState("saved", body.saved_at); }
      return;
    }
    if (status === 409) return this._stale(sent, lost, body);
    this.dirty = true;
    this.onState(status === 401 || status === 403 ? "signed-out" : status === 0 || status >= 500 ? "offline" : "refused", body.problem);
    this.saveSoon(TRY_AGAIN_AFTER);
  }

  _stale(sent, lost, { version, saved }) {
    this.version = version;
    this.onStale();
    const theirs = saved.content ?? "";
    if (theirs === sent.content) { this._keep(true); this.onState("saved"); return; }
    if (["", this.savedContent, lost].includes(theirs)) { this.changed(); return; } // the text was not changed elsewhere, only the dialogue
    this._showConflict(sent, saved);
  }

  _showConflict(mine, theirs) {
    const panel = document.getElementById("conflict");
    document.getElementById("conflict-mine").textContent = mine.content;
    document.getElementById("conflict-theirs").textContent = theirs.content;
    panel.hidden = false;
    this.onState("conflict");
    panel.onclick = (event) => {
      const choice = event.target.closest("[data-keep]")?.dataset.keep;
      if (!choice) return;
      if (choice === "mine") this._write(mine);
      if (choice === "theirs") this._write(theirs);
      if (choice === "both") this._write({ content: `${theirs.content}\n\n${mine.content}`, completion: mine.completion || theirs.completion });
      panel.hidden = true;
      this.text.focus();
      this.changed();
    };
  }

  _listen() {
    this.text.addEventListener("input", (event) => this.changed(event.inputType));
    this.text.addEventListener("compositionstart", () => { this.isComposing = true; });
    this.text.addEventListener("compositionend", () => { this.isComposing = false; });
    for (const kind of ["keydown", "input", "pointerdown"]) {
      document.addEventListener(kind, () => { this.lastActivity = Date.now(); }, { passive: true });
    }
    setInterval(() => {
      // Time counts only while the page is visible and there was input within the last minute.
      if (document.visibilityState !== "visible" || Date.now() - this.lastActivity > IDLE_AFTER) return;
      this.seconds += 1;
      this.form.elements.seconds.value = this.seconds;
    }, 1000);
    addEventListener("online", () => this.save());
    addEventListener("focus", () => this.save());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this._saveInPassing(); else this.save();
    });
  }

  // Save as the page is hidden. It may be gone before the response comes: localStorage is marked as synced only by a
  // response, so restore() finds a save that never arrived.
  _saveInPassing() {
    if (!this.dirty || this.isSending || this.text.value.length > LONGEST_BEACON / 4) return;
    this.underWay = this.text.value;
    this._keep(false);
    send(this.url, { role: this.role, content: this.text.value, completion: this.completion, version: this.version }, { keepalive: true })
      .then(({ status, body }) => {
        if (status !== 200) return;
        this.underWay = null;
        this.version = body.version;
        this.dirty = false;
        this._keep(true);
        this.onState("saved", body.saved_at);
      });
  }

  _write({ content, completion }) {
    this.text.value = content;
    this._follow(completion);
  }

  _follow(completion) {
    this.completion = completion ?? "";
    this.suggestion = null;
    this.onChange();
  }

  _dropSuggestion() {
    this._rememberLeft();
    this.completion = "";
    this.suggestion = null;
  }

  _rememberLeft() {
    const { completion, suggestion } = this;
    if (completion === "") return;
    const texts = [this.lastText, suggestion?.content].filter((text) => text?.trim());
    this.left = [...texts.map((text) => ({ completion, suggestion, text })), ...this.left].slice(0, MOST_LEFT);
  }

  // An undo, redo, paste or drop may bring back text that began as a suggestion: link it to that suggestion again.
  _followBack() {
    const text = this.text.value;
    const isBack = (left) => left.text === text || (left.text.length >= SHORTEST_PASTED && text.includes(left.text));
    const { completion, suggestion } = this.left.find(isBack) ?? {};
    if (completion) Object.assign(this, { completion, suggestion });
  }

  _keep(synced) {
    const { role, completion, version, underWay, sent } = this;
    const kept = { role, content: this.text.value, completion, version, synced, underWay, sending: sent };
    try { keep(this.name, kept); } catch { /* storage is full or disabled: the server still has it */ }
  }
}

// A text without the message that it was sent as; what was typed around it stays.
function without(text, sent) {
  if (!sent) return text;
  if (text.startsWith(sent)) return text.slice(sent.length).trimStart();
  return text.endsWith(sent) ? text.slice(0, -sent.length).trimEnd() : text;
}
