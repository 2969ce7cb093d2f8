// The storefront's own script: what plain HTML, CSS and htmx cannot do. Everything works without it.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);

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
