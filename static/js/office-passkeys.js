/* Fingerprint or face. A button asks our server for a challenge and the phone for its answer,
   puts the answer into its form, and sends the form: everything else is an ordinary page. */
(function () {
  "use strict";
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  function toBytes(text) {
    var plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (c) { return c.charCodeAt(0); });
  }
  function toText(buffer) {
    var plain = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  function opened(list) {
    return (list || []).map(function (one) { return Object.assign({}, one, { id: toBytes(one.id) }); });
  }
  function read(options) {
    options.challenge = toBytes(options.challenge);
    if (options.user) options.user.id = toBytes(options.user.id);
    options.excludeCredentials = opened(options.excludeCredentials);
    options.allowCredentials = opened(options.allowCredentials);
    return options;
  }
  function written(credential) {
    var said = credential.response;
    var response = { clientDataJSON: toText(said.clientDataJSON) };
    ["attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (said[name]) response[name] = toText(said[name]);
    });
    if (said.getTransports) response.transports = said.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      response: response,
      clientExtensionResults: {},
    });
  }

  function ready(box) {
    var form = box.closest("form");
    var button = box.querySelector("button");
    var problem = box.querySelector(".problem");
    box.hidden = false;
    button.addEventListener("click", function () {
      var token = form.querySelector("[name=csrf_token]").value;
      button.disabled = true;
      problem.hidden = true;
      fetch(box.dataset.options, { method: "POST", headers: { "X-CSRFToken": token } })
        .then(function (answer) {
          if (!answer.ok) throw new Error(answer.status);
          return answer.json();
        })
        .then(function (options) {
          var asked = { publicKey: read(options) };
          return navigator.credentials[box.dataset.passkey](asked);
        })
        .then(function (credential) {
          box.querySelector("input").value = written(credential);
          form.submit();
        })
        .catch(function () {
          button.disabled = false;
          problem.textContent = box.dataset.refused;
          problem.hidden = false;
        });
    });
  }
  function begin() {
    document.documentElement.classList.add("passkeys-work");
    document.querySelectorAll("[data-passkey]").forEach(ready);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
