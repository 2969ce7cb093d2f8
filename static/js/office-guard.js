/* Asks before somebody leaves a form with changes in it. Forms say so with data-guard. */
(function () {
  "use strict";
  var leaving = false;

  function guarded(element) {
    return element && element.closest ? element.closest("form[data-guard]") : null;
  }
  function mark(form, isDirty) {
    if (isDirty) form.setAttribute("data-dirty", "");
    else form.removeAttribute("data-dirty");
    Array.prototype.forEach.call(form.querySelectorAll("[data-unsaved]"), function (words) {
      words.hidden = !isDirty;
    });
  }
  function changed(event) {
    var form = guarded(event.target);
    if (form) mark(form, true);
  }

  document.addEventListener("input", changed);
  document.addEventListener("change", changed);
  /* Only a form that htmx does not send gets here; a look at it first opens another tab. */
  document.addEventListener("submit", function (event) {
    var pressed = event.submitter;
    if (guarded(event.target) && !(pressed && pressed.hasAttribute("data-plain"))) leaving = true;
  });
  addEventListener("beforeunload", function (event) {
    if (!leaving && document.querySelector("form[data-dirty]")) {
      event.preventDefault();
      event.returnValue = "";
    }
  });
})();
