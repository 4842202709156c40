// The review page: opening the comment box focuses its text field, unless it opens by itself with words from before.

const box = document.getElementById("return-box");
let isByHand = false;
box?.querySelector("summary").addEventListener("click", () => { isByHand = true; });
box?.addEventListener("toggle", () => { if (box.open && isByHand) box.querySelector("textarea").focus(); });
