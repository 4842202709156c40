// What this browser keeps of a person's words, under keys that name the account: whoever signs in next at the same
// browser sees none of them, and their author finds them again.

const { user } = document.body.dataset;

const keyOf = (name) => `parley:${user}:${name}`;

// Null where nothing is kept, or storage is disabled.
export function recall(name) {
  try { return JSON.parse(localStorage.getItem(keyOf(name))); } catch { return null; }
}

// Throws where storage is disabled or full.
export function keep(name, kept) {
  localStorage.setItem(keyOf(name), JSON.stringify(kept));
}

export function forget(name) {
  try { localStorage.removeItem(keyOf(name)); } catch { /* storage is disabled: nothing was stored */ }
}

// Keys did not name the account once. What such a key keeps is this account's all the same: each names a dialogue, a
// message, a place or a board of one person's, whose page the server opens for nobody else.
export function adopt(name) {
  try {
    const kept = localStorage.getItem(`parley:${name}`);
    if (kept === null) return;
    if (localStorage.getItem(keyOf(name)) === null) localStorage.setItem(keyOf(name), kept);
    localStorage.removeItem(`parley:${name}`);
  } catch { /* storage is disabled or full: what is kept stays where it is */ }
}
