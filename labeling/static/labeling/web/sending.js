// Posts fields as a form would and returns status and body; never throws.

import { csrfToken } from "./parley.js";

// Returns {status, body}: status 0 if the network failed, 401 if the person is signed out.
export async function send(url, fields, { keepalive = false } = {}) {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) form.set(name, value ?? "");
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" },
      body: form,
      redirect: "manual",
      keepalive,
    });
    if (answer.type === "opaqueredirect") return { status: 401, body: {} };
    const isJson = (answer.headers.get("Content-Type") ?? "").startsWith("application/json");
    return { status: answer.status, body: isJson ? await answer.json() : { text: await answer.text() } };
  } catch {
    return { status: 0, body: {} };
  }
}
