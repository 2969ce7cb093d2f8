/* A list that opens without a network, and marks that wait for one. */
(function () {
  "use strict";
  var workers = navigator.serviceWorker;
  if (!workers || location.pathname.indexOf("/staff/") !== 0) return;
  function ask() {
    workers.ready.then(function (at) { at.active.postMessage("taps"); });
  }
  /* A page that is left while it registers, or a browser that allows no worker: the next page asks again. */
  addEventListener("load", function () {
    workers.register("/desk-sw.js", { scope: "/staff/" }).then(ask, function () {});
  });
  /* New orders as notifications, where a browser can show them; asked for by a tap alone. */
  document.addEventListener("DOMContentLoaded", function () {
    var form = document.querySelector("form[data-push]");
    if (!form || !window.PushManager || Notification.permission === "denied") return;
    var at = form.elements;
    form.querySelector("button").hidden = false;
    form.addEventListener("submit", function (event) {
      if (at.endpoint.value) return;
      event.preventDefault();
      Notification.requestPermission().then(function (said) {
        if (said !== "granted") return;
        workers.ready.then(function (worker) {
          return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: form.dataset.push });
        }).then(function (made) {
          var told = made.toJSON();
          at.endpoint.value = told.endpoint;
          at.p256dh.value = told.keys.p256dh;
          at.auth.value = told.keys.auth;
          form.requestSubmit();
        });
      });
    });
  });

  workers.addEventListener("message", function (event) {
    if (event.data === "kept") {
      workers.ready.then(function (at) { if (at.sync) at.sync.register("taps"); });
      return;
    }
    event.data.forEach(function (words) {
      document.getElementById("notices").insertAdjacentHTML("beforeend", words);
    });
  });
})();
