/* A grid of fields: up and down go to the same column, Enter saves and goes down, Escape gives back. */
(function () {
  "use strict";
  function cells(field) {
    var table = field.closest("table");
    return Array.prototype.filter.call(
      table.querySelectorAll('[data-cell="' + field.dataset.cell + '"]'),
      function (each) { return each.offsetParent !== null; }
    );
  }
  function go(field, step) {
    var list = cells(field);
    var next = list[list.indexOf(field) + step];
    if (!next) return false;
    next.focus();
    if (next.select) next.select();
    return true;
  }
  var wanted = null; /* the cell to be in once the row has been saved */

  document.addEventListener("keydown", function (event) {
    var field = event.target;
    if (!field.dataset || !field.dataset.cell || field.tagName !== "INPUT") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (go(field, event.key === "ArrowDown" ? 1 : -1)) event.preventDefault();
    } else if (event.key === "Enter" && field.closest("[data-cells]")) {
      var list = cells(field);
      var next = list[list.indexOf(field) + 1];
      var row = (next || field).closest("[data-row]");
      wanted = { row: row.id, cell: field.dataset.cell };
      if (field.value === field.defaultValue) {
        event.preventDefault();
        go(field, 1);
        wanted = null;
      }
    }
  });
  /* Leaving a changed field saves it, as Enter does. */
  document.addEventListener("focusout", function (event) {
    var field = event.target;
    if (!field.dataset || !field.dataset.cell || field.tagName !== "INPUT" || !field.closest("[data-cells]")) return;
    if (field.value !== field.defaultValue && field.form && !field.form.hasAttribute("data-sent")) {
      field.form.requestSubmit();
    }
  });
  document.addEventListener("submit", function (event) {
    if (event.target.closest("[data-cells]")) event.target.setAttribute("data-sent", "");
  });
  document.addEventListener("htmx:after:swap", function () {
    if (!wanted) return;
    var row = document.getElementById(wanted.row);
    var field = row && row.querySelector('[data-cell="' + wanted.cell + '"]');
    wanted = null;
    if (field) {
      field.focus();
      if (field.select) field.select();
    }
  });
})();
