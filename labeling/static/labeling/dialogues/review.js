// The review page: opening the comment box focuses its text field.

const box = document.getElementById("return-box");
box?.addEventListener("toggle", () => { if (box.open) box.querySelector("textarea").focus(); });
