/* The desks with a keyboard. Everything here is a shortcut to a link or a button on the page. */
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");
  var rowAt = 0;
  var kept = null; /* where the row was that a key just sent away */

  function all(selector, from) {
    return Array.prototype.slice.call((from || document).querySelectorAll(selector));
  }
  function shown(element) {
    return element.offsetParent !== null;
  }
  function rows() {
    return all("[data-row]").filter(shown);
  }
  function rowOf(element) {
    return element && element.closest ? element.closest("[data-row]") : null;
  }
  function go(step) {
    var list = rows();
    if (!list.length) return;
    var at = list.indexOf(rowOf(document.activeElement));
    rowAt = at < 0 ? Math.min(rowAt, list.length - 1) : Math.max(0, Math.min(list.length - 1, at + step));
    list[rowAt].focus();
    list[rowAt].scrollIntoView({ block: "nearest" });
  }
  function press(key) {
    var row = rowOf(document.activeElement);
    var found = all('[data-key="' + key + '"]', row || document).filter(shown)[0];
    if (!found && row) found = all('[data-key="' + key + '"]').filter(function (e) { return shown(e) && !rowOf(e); })[0];
    if (!found) return false;
    kept = row ? rowAt : null;
    found.click();
    if (found.tagName === "SUMMARY") {
      var first = found.parentNode.querySelector("button");
      if (first) first.focus();
    }
    return true;
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    var target = event.target;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && !/^(checkbox|radio)$/.test(target.type)) {
      if (event.key === "Escape" && target.defaultValue !== undefined) {
        target.value = target.defaultValue;
        target.blur();
      } else if (event.key === "Enter" && target.form && target.form.matches("[data-scans]")) {
        /* A scanner ends each number with Enter: on to the next unit, and only then send. */
        var empty = all("input.input", target.form).filter(function (e) { return e !== target && !e.value; })[0];
        if (empty) {
          empty.focus();
          event.preventDefault();
        }
      }
      return;
    }
    if (localStorage.getItem("keys") === "off" && event.key !== "/") return;
    var key = event.key.toLowerCase();
    var row = rowOf(target);
    if (key === "j" || key === "k") go(key === "j" ? 1 : -1);
    else if (key === "enter" && row === target) {
      var open = row.querySelector("[data-open]");
      if (open) open.click();
    } else if (key === "/") {
      var search = all("[data-search]").filter(shown)[0];
      if (!search) return;
      search.focus();
    } else if (key === "escape") {
      all("details.menu[open]").forEach(function (menu) { menu.open = false; });
      return;
    } else if (key === "a" && row) {
      var head = document.querySelector('[data-group-of="' + row.dataset.group + '"]');
      if (head) head.click();
    } else if (!press(key)) return;
    event.preventDefault();
  });

  document.addEventListener("focusin", function (event) {
    var row = rowOf(event.target);
    if (row) rowAt = Math.max(0, rows().indexOf(row));
  });

  document.addEventListener("change", function (event) {
    var changed = event.target;
    if (changed.matches("[data-submit]")) changed.form.requestSubmit();
    if (changed.matches("[data-group-of]")) {
      all('[data-group="' + changed.dataset.groupOf + '"] input[type=checkbox]').forEach(function (box) {
        box.checked = changed.checked;
      });
    }
    count();
  });

  document.addEventListener("click", function (event) {
    var key = event.target.closest("[data-switch-keys]");
    if (key) {
      localStorage.setItem("keys", localStorage.getItem("keys") === "off" ? "on" : "off");
      location.reload();
    }
    if (event.target.closest("[data-print]")) window.print();
    all("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  /* What is ticked, said in the bar or on the button that acts on it. */
  function count() {
    all("[data-counts]").forEach(function (label) {
      var boxes = all(label.dataset.counts);
      var ticked = boxes.filter(function (box) { return box.checked; });
      var cents = ticked.reduce(function (sum, box) { return sum + Number(box.dataset.due || 0); }, 0);
      var words = label.dataset.words.replace("{n}", ticked.length).replace("{all}", boxes.length);
      if (cents && label.dataset.due) words += " " + label.dataset.due.replace("{kes}", (cents / 100).toLocaleString("en"));
      label.textContent = ticked.length ? words : label.dataset.none || words;
      boxes.forEach(function (box) {
        var row = rowOf(box);
        if (row) row.classList.toggle("run-row--picked", box.checked);
      });
    });
  }

  /* A toast leaves after 8 seconds, unless somebody is at it. */
  function toasts() {
    all(".toast:not([data-timed])").forEach(function (toast) {
      toast.dataset.timed = "yes";
      (function wait() {
        setTimeout(function () {
          if (toast.matches(":hover, :focus-within")) wait();
          else toast.remove();
        }, 8000);
      })();
    });
  }

  document.addEventListener("htmx:after:swap", function () {
    toasts();
    count();
    if (kept !== null) {
      var list = rows();
      if (list.length) list[Math.min(kept, list.length - 1)].focus();
      kept = null;
    } else if (document.activeElement === document.body && root.dataset.atRow) go(0);
  });
  document.addEventListener("focusout", function (event) {
    root.dataset.atRow = rowOf(event.target) ? "yes" : "";
  });

  function begin() {
    toasts();
    count();
    all("[data-go]").forEach(function (form) { form.requestSubmit(); });
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
