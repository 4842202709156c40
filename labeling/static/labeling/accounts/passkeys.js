// Asks the browser for a passkey and sends its answer with the form. Where the browser knows none, the forms stay hidden.

const knows = typeof window.PublicKeyCredential?.parseRequestOptionsFromJSON === "function";

for (const form of knows ? document.querySelectorAll("form[data-passkey]") : []) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const problem = form.querySelector("[data-problem]");
    button.disabled = true;
    problem.textContent = "";
    try {
      form.credential.value = JSON.stringify(await credentialFor(form));
      form.submit();
    } catch {
      problem.textContent = problem.dataset.problem;
      button.disabled = false;
    }
  });
}

async function credentialFor(form) {
  const answer = await fetch(form.dataset.options, {
    method: "POST",
    headers: { "X-CSRFToken": form.csrfmiddlewaretoken.value },
  });
  if (!answer.ok || answer.redirected) throw new Error("no options");
  const { publicKey } = await answer.json();
  const credential =
    form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  return credential.toJSON();
}
