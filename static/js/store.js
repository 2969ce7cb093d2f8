// The storefront's own script: what plain HTML, CSS and htmx cannot do. Everything works without it.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);

  // Photos are off: a tap loads one, where it belongs. A large one opens over the page.
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".js-photo, .js-large");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const photo = new Image();
    photo.src = link.href;
    photo.alt = link.dataset.alt || "";
    const large = $("large");
    if (link.matches(".js-photo")) {
      const place = document.createElement("span");
      place.className = link.className.replace(/ask|js-photo/g, "");
      place.append(photo);
      link.replaceWith(place);
    } else {
      large.lastElementChild.replaceChildren(photo);
      large.showModal();
    }
  });

  // Photos below the first view wait until they are in sight, or anything is scrolled.
  const later = [...document.querySelectorAll(".later")];
  const show = (node) => {
    if (node && node.parentNode) node.outerHTML = node.textContent;
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) show(entry.target.querySelector(".later"));
    }
  }, { rootMargin: "-1px" });  // what only touches the edge is not in sight
  later.forEach((node) => seen.observe(node.parentNode));
  addEventListener("scroll", () => later.forEach(show), { once: true, capture: true, passive: true });

  // What this page really cost, in place of what the server reckoned for a first visit. Browsers
  // count 300 bytes for every head; ours are longer, but for files. Of a page that the worker brought
  // they know the size unpacked alone: there the server's sum stays.
  const weight = $("weight");
  const way = performance.getEntriesByType("navigation")[0];
  if (weight && !way.workerStart) {
    let bytes = 600 + way.transferSize;
    new PerformanceObserver((list) => {
      for (const { transferSize, initiatorType } of list.getEntries()) {
        bytes += transferSize && transferSize + (initiatorType === "script" ? 80 : 400);
      }
      const sum = (bytes / 1000).toFixed(bytes < 1e5 ? 1 : 0);
      weight.textContent = weight.textContent.replace(/[\d.]+/, sum);
    }).observe({ type: "resource", buffered: true });
  }

  // Product: a tap on a variant changes price, stock, photo and button at once.
  const buy = $("buy");
  if (buy) {
    const rows = JSON.parse(buy.dataset.variants);
    buy.addEventListener("change", () => {
      const on = [...buy.querySelectorAll("[type=radio]:checked")];
      const wanted = on.map((radio) => radio.value);
      on.forEach((radio) => {
        radio.closest("fieldset").querySelector(".js-chosen").textContent = radio.value;
      });
      const row = rows.find((r) => r[0].join("\n") === wanted.join("\n"));
      const add = $("add");
      const can = row && row[3] !== "stock-out";
      $("added").textContent = "";
      add.disabled = !can;
      add.textContent = can ? add.dataset.on : add.dataset.off;
      $("stock").textContent = row ? row[2] : add.dataset.off;
      $("stock").className = "stock " + (row ? row[3] : "stock-out");
      if (!row) return;
      for (const place of ["#price .price", "#bar-sum .price"]) {
        const node = document.querySelector(place);
        if (node) node.lastChild.textContent = row[1];
      }
      const shot = row[4] && $("shot-" + row[4]);
      if (shot) $("gallery").scrollTo({ left: shot.offsetLeft - $("gallery").offsetLeft });
      // The fee may depend on the price: its strip asks again.
      document.body.dispatchEvent(new Event("choice"));
    });
  }

  // Payment: count the seconds down from what the server said, and speak at 60, 30 and 10.
  // The server rounds up and we round down: never more than a second beside the truth.
  let said, ends, shown;
  setInterval(() => {
    const node = $("seconds");
    if (!node) {
      said = null;
      return;
    }
    if (node.dataset.left !== said) {
      said = node.dataset.left;
      ends = Date.now() + said * 1000;
      shown = null;
    }
    const left = Math.max(0, Math.floor((ends - Date.now()) / 1000));
    if (left === shown) return;
    shown = left;
    node.textContent = left;
    $("arc").setAttribute("stroke-dasharray", (100 * left) / node.dataset.of + " 100");
    const again = $("again");
    if (again) again.textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
    if (left === 60 || left === 30 || left === 10) {
      $("spoken").textContent = node.dataset.spoken.replace("{n}", left);
    }
  }, 250);
})();
