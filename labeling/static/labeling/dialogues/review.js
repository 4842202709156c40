// Reviewing: opening the comment puts the cursor into it.

const box = document.getElementById("return-box");
box?.addEventListener("toggle", () => { if (box.open) box.querySelector("textarea").focus(); });
