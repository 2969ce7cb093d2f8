// Keeps the parts of a page that change up to date: fetches a fragment each second and replaces
// only the parts whose words changed, so that a PIN half typed stays where it is.
"use strict";

(function () {
  const EVERY_MS = 1000;
  const shown = new Map();

  function keep(root) {
    root.querySelectorAll("[data-part]").forEach(function (part) {
      shown.set(part.dataset.part, part.outerHTML);
    });
  }

  function replace(old, fresh) {
    const open = Array.from(old.querySelectorAll("details[open][id]"), (each) => each.id);
    const typed = new Map();
    old.querySelectorAll("input[id]").forEach((each) => typed.set(each.id, each.value));
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const scrolled = Array.from(old.querySelectorAll(".scroll, .bubbles"), (each) => each.scrollLeft);
    const copy = document.importNode(fresh, true);
    old.replaceWith(copy);
    open.forEach(function (id) {
      const found = copy.querySelector("#" + CSS.escape(id));
      if (found) found.open = true;
    });
    const same = copy.querySelector("[name=checkout_request_id]");
    const before = old.querySelector("[name=checkout_request_id]");
    if (same && before && same.value === before.value) {
      typed.forEach(function (value, id) {
        const found = copy.querySelector("#" + CSS.escape(id));
        if (found && found.type !== "hidden") found.value = value;
      });
    }
    copy.querySelectorAll(".scroll, .bubbles").forEach(function (each, index) {
      each.scrollLeft = scrolled[index] || 0;
    });
    const next = focused ? copy.querySelector("#" + CSS.escape(focused)) : null;
    const nobody = document.activeElement === document.body || document.activeElement === null;
    const wanted = next || (nobody ? copy.querySelector("[data-focus]") : null);
    if (wanted) wanted.focus({ preventScroll: true });
  }

  function show(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const parts = Array.from(fresh.querySelectorAll("[data-part]"));
    fresh.querySelectorAll("template").forEach(function (each) {
      parts.push(...each.content.querySelectorAll("[data-part]"));
    });
    parts.forEach(function (part) {
      const name = part.dataset.part;
      const old = document.querySelector('[data-part="' + name + '"]');
      if (old && shown.get(name) !== part.outerHTML) {
        shown.set(name, part.outerHTML);
        replace(old, part);
      }
    });
  }

  async function look(url) {
    if (!document.hidden) {
      try {
        const answer = await fetch(url + window.location.search, { cache: "no-store" });
        if (answer.ok) show(await answer.text());
      } catch (problem) {
        // The sandbox is restarting: the page stays as it is and asks again.
      }
    }
    window.setTimeout(look, EVERY_MS, url);
  }

  keep(document);
  const urls = new Set(Array.from(document.querySelectorAll("[data-live]"), (each) => each.dataset.live));
  urls.forEach((url) => window.setTimeout(look, EVERY_MS, url));
})();
