// Stores a trainer's draft: every change immediately in this browser, shortly after on the server. Renews the
// lease while someone is active. Sends a submission until it is acknowledged, always under the same key, so
// that however often it is sent it becomes one ranking. Where another tab has saved the same board, it stops saving
// and says so (onConflict) until the two are settled.

import * as storage from "../web/own_storage.js";
import { csrfToken } from "../web/parley.js";

const SAVE_AFTER = 1200; // ms after the last change
const RENEW_EVERY = 60_000; // ms
const LONGEST_WAIT = 20_000; // ms between two attempts to send a submission

export class Keeper {
  constructor({ name, urls, version, showState, showExpiry, onConflict, onSubmitted }) {
    this.name = name;
    storage.adopt(name);
    this.urls = urls;
    this.version = version;
    this.showState = showState;
    this.showExpiry = showExpiry;
    this.onConflict = onConflict;
    this.onSubmitted = onSubmitted;
    this.own = new Set([canonical(this.recall()?.draft)]); // drafts of this tab, which are no other tab's
    this.conflict = null;
    this.isSending = this.isClosed = false;
    this.lastActivity = Date.now();
    this.secondsActive = 0;
    this.timer = null;
    for (const kind of ["keydown", "input", "pointerdown", "scroll"]) {
      addEventListener(kind, () => { this.lastActivity = Date.now(); }, { passive: true });
    }
    setInterval(() => this.tick(), 1000);
    if (!urls.draft) return; // practice or reference, without a lease: the draft is kept in this browser only
    if (urls.renew) setInterval(() => this.renew(), RENEW_EVERY);
    addEventListener("online", () => this.save());
    addEventListener("pagehide", () => this.saveNow());
  }

  // Working time is counted only while the page is visible and there was input in the last minute, and not
  // in editors that count their own time.
  tick() {
    if (document.visibilityState !== "visible" || Date.now() - this.lastActivity > 60_000) return;
    if (!document.activeElement?.closest("[data-own-time]")) this.secondsActive += 1;
  }

  recall() {
    return storage.recall(this.name);
  }

  forget() {
    storage.forget(this.name);
  }

  keep(draft) {
    this.draft = draft;
    try { storage.keep(this.name, { draft, at: Date.now() }); } catch { /* storage full, or private mode */ }
    if (!this.urls.draft) return;
    if (this.isSending || this.isClosed) return;
    if (this.conflict) return this.onConflict(this.conflict.draft);
    this.showState("saving");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), SAVE_AFTER);
  }

  async save() {
    if (!this.urls.draft || this.draft === undefined || this.conflict) return;
    const sent = this.draft;
    this.own.add(canonical(sent));
    const answer = await post(this.urls.draft, { draft: sent, version: this.version, seconds: this.secondsActive });
    if (answer === null || answer.status >= 500) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.isClosed || this.isSending || this.save(), LONGEST_WAIT);
      return this.showState("offline");
    }
    if (answer.status === 401 || answer.status === 403) return this.showState("signed-out");
    const body = await answer.json();
    if (body.own && !this.isSending) {
      this.isClosed = true; // from now on the draft is kept in this browser only
      return this.onSubmitted();
    }
    if (answer.status === 409 && !this.own.has(canonical(body.draft))) {
      this.conflict = body;
      this.showState("conflict");
      return this.onConflict(body.draft);
    }
    if (body.version !== undefined) this.version = body.version;
    if (answer.status === 409) return this.save(); // the newer draft is this tab's own; its answer was lost
    if (sent === this.draft) this.draft = undefined;
    this.showState(answer.ok ? "saved" : "offline");
  }

  // The two boards of a conflict have become one, which is kept last.
  settle() {
    this.version = this.conflict.version;
    this.conflict = null;
    this.keep(this.draft);
  }

  saveNow() {
    if (this.draft === undefined || this.conflict || this.isClosed) return;
    const form = new FormData();
    form.set("csrfmiddlewaretoken", csrfToken());
    form.set("json", JSON.stringify({ draft: this.draft, version: this.version, seconds: this.secondsActive }));
    navigator.sendBeacon(this.urls.draft, form);
  }

  async renew() {
    if (Date.now() - this.lastActivity > 2 * RENEW_EVERY) return;
    const answer = await post(this.urls.renew, { seconds: this.secondsActive });
    if (answer?.ok) this.showExpiry(await answer.json());
  }

  async submit(submission) {
    clearTimeout(this.timer);
    this.isSending = true;
    const sent = { ...submission, seconds: this.secondsActive };
    const outcome = await this.deliver(this.urls.submit, sent, () => this.showState("sending"));
    this.isSending = false;
    if (outcome.status < 300) this.forget();
    else await this.save(); // what was refused is kept on the server too
    return outcome;
  }

  // Send until the server answers, calling onWait() before each wait. Resolves with {status, body}.
  async deliver(url, body, onWait) {
    for (let wait = 1000; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      const answer = await post(url, body);
      if (answer !== null && answer.status < 500) {
        return { status: answer.status, body: await answer.json().catch(() => ({})) };
      }
      onWait();
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, wait);
        addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
      });
    }
  }
}

// A value as text, the same however the keys of its objects are ordered; the server orders them in its own way.
function canonical(value) {
  return JSON.stringify(value ?? null, (_key, held) => (
    held && typeof held === "object" && !Array.isArray(held) ? Object.fromEntries(Object.entries(held).sort()) : held
  ));
}

// POST JSON. Resolves with null if the network failed, and with status 401 for a redirect, which means signed out.
export async function post(url, body) {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken(), Accept: "application/json" },
      body: JSON.stringify(body),
      redirect: "manual",
    });
    return answer.type === "opaqueredirect" ? new Response("{}", { status: 401 }) : answer;
  } catch {
    return null;
  }
}
