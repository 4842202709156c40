// Previews Markdown, rendered and sanitised by the server, 300 ms after the last change.

import { csrfToken } from "../web/parley.js";

document.documentElement.classList.add("has-js");

export async function renderPreview(url, text) {
  const body = new FormData();
  body.set("text", text);
  const answer = await fetch(url, { method: "POST", headers: { "X-CSRFToken": csrfToken() }, body, redirect: "manual" });
  return answer.ok ? await answer.text() : null;
}

for (const pane of document.querySelectorAll("[data-preview-of]")) {
  const source = document.getElementById(pane.dataset.previewOf);
  let timer = null;
  source.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const html = await renderPreview(pane.dataset.url, source.value).catch(() => null);
      if (html !== null) pane.innerHTML = html;
    }, 300);
  });
}
