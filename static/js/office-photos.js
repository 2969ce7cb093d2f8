/* A product's photos: each file sent by itself with its own progress, and a drag for the order. */
(function () {
  "use strict";

  /* -- sending -------------------------------------------------------------------------- */
  var queue = [];
  var isSending = false;

  function show(answer) {
    var page = new DOMParser().parseFromString(answer, "text/html");
    ["photos", "toasts"].forEach(function (id) {
      var fresh = page.getElementById(id);
      if (!fresh) return;
      document.getElementById(id).replaceWith(fresh);
      window.htmx.process(fresh);
    });
  }

  function next() {
    var job = queue.shift();
    isSending = Boolean(job);
    if (job) send(job);
  }

  function fail(job, words) {
    job.words.textContent = words || job.words.dataset.failed;
    job.bar.hidden = true;
    job.again.hidden = Boolean(words);
    job.again.onclick = function () {
      job.again.hidden = true;
      job.bar.hidden = false;
      queue.push(job);
      if (!isSending) next();
    };
    next();
  }

  function send(job) {
    if (job.file.size > Number(job.form.dataset.mostBytes)) return fail(job, job.form.dataset.tooLarge);
    var body = new FormData();
    Array.prototype.forEach.call(job.form.elements, function (field) {
      if (field.name && field.type !== "file") body.append(field.name, field.value);
    });
    body.append("photos", job.file, job.file.name);
    var request = new XMLHttpRequest();
    request.open("POST", job.form.action);
    request.setRequestHeader("HX-Request", "true");
    request.upload.onprogress = function (event) {
      job.bar.value = Math.round((100 * event.loaded) / event.total);
      job.words.textContent = job.bar.value + "\u00a0%";
    };
    request.onerror = function () { fail(job); };
    request.onload = function () {
      if (request.status !== 200) return fail(job);
      job.tile.remove();
      show(request.responseText);
      next();
    };
    request.send(body);
  }

  document.addEventListener("change", function (event) {
    var form = event.target.form;
    if (!form || form.id !== "send-photos" || event.target.type !== "file") return;
    Array.prototype.forEach.call(event.target.files, function (file) {
      var tile = document.getElementById("sending-tile").content.firstElementChild.cloneNode(true);
      tile.querySelector("[data-name]").textContent = file.name;
      document.getElementById("sending").append(tile);
      queue.push({
        file: file,
        form: form,
        tile: tile,
        bar: tile.querySelector("progress"),
        words: tile.querySelector("[data-words]"),
        again: tile.querySelector("[data-again]"),
      });
    });
    event.target.value = "";
    if (!isSending) next();
  });

  /* -- order by drag: at once with a mouse, after a short hold with a finger ---------------- */
  var held = null;
  var hold = 0;
  var from = null;
  var wasDragged = false;

  function tileAt(event) {
    var under = document.elementFromPoint(event.clientX, event.clientY);
    return under && under.closest("[data-photos] > [data-photo]");
  }
  function take(tile) {
    held = tile;
    tile.classList.add("photo--held");
  }
  function stop() {
    clearTimeout(hold);
    if (held) held.classList.remove("photo--held");
    held = from = null;
  }

  document.addEventListener("pointerdown", function (event) {
    var face = event.target.closest("[data-photos] .photo__face");
    if (!face || event.button || !document.getElementById("photo-order")) return;
    wasDragged = false;
    from = { tile: face.parentNode, x: event.clientX, y: event.clientY };
    if (event.pointerType !== "mouse") hold = setTimeout(function () { take(from.tile); }, 300);
  });
  document.addEventListener("pointermove", function (event) {
    if (!from) return;
    var isFar = Math.abs(event.clientX - from.x) + Math.abs(event.clientY - from.y) > 8;
    if (!held && isFar) {
      if (event.pointerType === "mouse") take(from.tile);
      else return stop();
    }
    if (!held) return;
    var tile = tileAt(event);
    if (!tile || tile === held) return;
    var isAfter = held.compareDocumentPosition(tile) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (isAfter) tile.after(held);
    else tile.before(held);
    wasDragged = true;
  });
  document.addEventListener("pointerup", function () {
    if (held && wasDragged) {
      var form = document.getElementById("photo-order");
      form.querySelectorAll("[name=photo]").forEach(function (old) { old.remove(); });
      document.querySelectorAll("[data-photos] > [data-photo]").forEach(function (tile) {
        var field = document.createElement("input");
        field.type = "hidden";
        field.name = "photo";
        field.value = tile.dataset.photo;
        form.append(field);
      });
      form.requestSubmit();
    }
    stop();
  });
  document.addEventListener("pointercancel", stop);
  document.addEventListener("touchmove", function (event) {
    if (held) event.preventDefault();
  }, { passive: false });
  document.addEventListener("contextmenu", function (event) {
    if (from && event.target.closest("[data-photos]")) event.preventDefault();
  });
  document.addEventListener("dragstart", function (event) {
    if (event.target.closest && event.target.closest("[data-photos]")) event.preventDefault();
  });
  document.addEventListener("click", function (event) {
    if (wasDragged && event.target.closest("[data-photos]")) event.preventDefault();
    wasDragged = false;
  });
})();
