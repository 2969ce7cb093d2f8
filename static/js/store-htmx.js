// htmx comes once the page can be seen: what a shopper waits for has the network and the processor
// first. A tap before that is kept, and done when htmx is there; where it does not come, the browser
// does it, as in every form and link without script.
(() => {
  "use strict";
  const { htmx } = document.currentScript.dataset;
  const kinds = ["click", "submit", "change", "input"];
  const kept = [];
  let coming;

  const come = () => {
    if (coming) return;
    coming = document.createElement("script");
    coming.onload = () => setTimeout(done); // after htmx has looked at the page, which it does so too
    coming.onerror = done;
    coming.src = htmx;
    document.head.append(coming);
  };

  // Whether htmx would do this: a link or button that is tapped, a form that is sent, a field that says so.
  const isIts = ({ type, target, ctrlKey, metaKey }) => {
    const node = target.closest && target.closest("[hx-get], [hx-post]");
    if (!node) return false;
    if (type === "click") return node.matches("a, button") && !ctrlKey && !metaKey;
    if (type === "submit") return node === target;
    return (node.getAttribute("hx-trigger") || "").includes(type);
  };

  const keep = (event) => {
    if (!isIts(event)) return;
    const { type, target } = event;
    event.stopImmediatePropagation();
    event.preventDefault();
    if (!kept.length) setTimeout(done, 4000);
    kept.push([type, target, event.submitter]);
    come();
  };

  const done = () => {
    kinds.forEach((type) => removeEventListener(type, keep, true));
    for (const [type, node, submitter] of kept.splice(0)) {
      if (type === "click") node.click();
      else if (type === "submit") node.requestSubmit(submitter);
      else node.dispatchEvent(new Event(type, { bubbles: true }));
    }
  };

  kinds.forEach((type) => addEventListener(type, keep, true));
  for (const type of ["pointerdown", "keydown", "focusin"]) {
    addEventListener(type, come, { once: true, capture: true, passive: true });
  }
  const frame = (then) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(then)));
  addEventListener("load", () => frame(come));
  setTimeout(come, 3000); // photos that take long hold up no more than that
})();
