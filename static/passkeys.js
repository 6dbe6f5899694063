/* Passkeys: ask the browser, put its answer into the form, send the form. Without it the other ways in remain. */
(() => {
  "use strict";
  if (!window.PublicKeyCredential) return;
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const NAMES = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

  function read(options) {
    const key = { ...(options.publicKey || options) };
    key.challenge = bytes(key.challenge);
    if (key.user) key.user = { ...key.user, id: bytes(key.user.id) };
    for (const list of ["allowCredentials", "excludeCredentials"]) {
      if (key[list]) key[list] = key[list].map((one) => ({ ...one, id: bytes(one.id) }));
    }
    return key;
  }
  function written(credential) {
    const response = {};
    for (const name of NAMES) if (credential.response[name]) response[name] = text(credential.response[name]);
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return {
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment,
      clientExtensionResults: credential.getClientExtensionResults(),
    };
  }
  async function options(form) {
    const here = document.getElementById(form.dataset.options);
    if (here) return JSON.parse(here.textContent);
    const answer = await fetch(form.dataset.options, { headers: { "X-Requested-With": "XMLHttpRequest" } });
    return (await answer.json()).request_options;
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const trouble = form.querySelector("[data-passkey-trouble]");
      trouble.hidden = true;
      try {
        const publicKey = read(await options(form));
        const kind = form.dataset.passkey;
        const credential = await navigator.credentials[kind]({ publicKey });
        form.elements.credential.value = JSON.stringify(written(credential));
        form.submit();
      } catch (fault) {
        const none = ["NotAllowedError", "AbortError"].includes(fault.name);
        trouble.textContent = fault.name === "InvalidStateError" ? "This device already has a passkey for you."
          : none ? "No passkey was used. Try again, or use another way." : "That did not work here. Use another way.";
        trouble.hidden = false;
      }
    });
  }
})();
