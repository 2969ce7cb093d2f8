// What works without a network: the worker behind the pages, taps that wait, and notifications.
(() => {
  "use strict";
  const workers = navigator.serviceWorker;
  if (!workers) return;
  const say = (words) => document.getElementById("notices").insertAdjacentHTML("beforeend", words);

  // The first page a person opens is not made heavier: the worker comes a moment after it.
  // A page that is left while it registers, or a browser that allows no worker: the next page asks again.
  const begin = () => workers.register("/sw.js").then(() => workers.ready, () => null)
    .then((at) => at && at.active.postMessage("taps"));
  const soon = document.referrer.startsWith(location.origin) ? 0 : 2500;
  addEventListener("load", () => setTimeout(begin, soon));

  // A kept tap is sent by Background Sync where there is one, and at every page that is opened.
  workers.addEventListener("message", async ({ data }) => {
    if (data === "kept") return (await workers.ready).sync?.register("taps");
    data.forEach(say);
    if (document.getElementById("cart-panel")) location.reload();
    document.querySelectorAll("#cart-count").forEach((node) => window.htmx?.trigger(node, "load"));
  });

  // What was seen goes with the tap, so that one sent late can tell when it is no longer so.
  addEventListener(
    "submit",
    ({ target }) => {
      if (target.id !== "buy") return;
      const price = document.querySelector("#price .price");
      const field = target.elements.shown || target.appendChild(document.createElement("input"));
      Object.assign(field, { type: "hidden", name: "shown", value: price.textContent.replace(/\s/g, " ") });
    },
    true,
  );

  // Notifications are offered where a browser can show them, and asked for by a tap alone.
  const forms = () =>
    document.querySelectorAll("form[data-push]").forEach((form) => {
      if (!window.PushManager || Notification.permission === "denied") return;
      for (const field of form.elements) field.hidden = false;
      if (form.dataset.ready) return;
      form.dataset.ready = "yes";
      form.addEventListener("submit", async (event) => {
        const at = form.elements;
        if (at.endpoint.value) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        if ((await Notification.requestPermission()) !== "granted") return;
        const worker = await workers.ready;
        const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: form.dataset.push });
        const { endpoint, keys } = made.toJSON();
        at.endpoint.value = endpoint;
        at.p256dh.value = keys.p256dh;
        at.auth.value = keys.auth;
        form.requestSubmit();
      }, true);
    });
  forms();
  document.addEventListener("htmx:after:swap", forms);
})();
