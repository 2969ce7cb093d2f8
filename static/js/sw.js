// The worker of a shop, and of the desks: what a phone shows without a network, taps that wait for
// one, and notifications. app/web/installed.py fills in C: words, lists of files and patterns.
// What waits in IndexedDB are taps alone, each with a key that makes it count once; never a payment.
const C = "CONFIG";
const is = (name, path) => new RegExp(C[name]).test(path);
const html = (text, more) => new Response(text, { headers: { "Content-Type": "text/html", ...more } });

// A page of ours with a sentence where its notices go.
const saying = (text, words) => text.replace(/id="notices"[^>]*>/, "$&<p class=\"break\" role=\"status\">" + words + "</p>");
const plain = async (words) => html(saying(await (await caches.match(C.offline)).text(), words));

// Run one step on the taps that wait.
const taps = (act) =>
  new Promise((done, failed) => {
    const open = indexedDB.open("taps", 1);
    open.onupgradeneeded = () => open.result.createObjectStore("taps", { keyPath: "key" });
    open.onerror = failed;
    open.onsuccess = () => {
      const work = open.result.transaction("taps", "readwrite");
      const asked = act(work.objectStore("taps"));
      work.oncomplete = () => done(asked.result, open.result.close());
      work.onerror = failed;
    };
  });
const waiting = async () => (await taps((s) => s.getAll())).sort((a, b) => a.at - b.at);

const send = (tap, more) =>
  fetch(tap.url, {
    method: "POST",
    body: tap.body,
    headers: { ...tap.head, "Idempotency-Key": tap.key, ...more },
    redirect: tap.mode,
    signal: AbortSignal.timeout && AbortSignal.timeout(9000),
  });

// Offline a tap is kept; its key went with the first try, so an answer that was lost does no harm.
const tap = async (request) => {
  const it = {
    key: crypto.getRandomValues(new Uint8Array(16)).join("."),
    at: Date.now(),
    url: request.url,
    body: await request.text(),
    head: Object.fromEntries(request.headers),
    mode: request.redirect,
  };
  try {
    return await send(it);
  } catch (_) {
    const same = C.once && (await waiting()).find((o) => o.url + o.body === it.url + it.body);
    if (!same) await taps((s) => s.put(it));
    for (const c of await clients.matchAll()) c.postMessage("kept");
    return request.mode === "navigate"
      ? plain(C.kept)
      : html("<p class=\"break\">" + C.kept + "</p>", { "HX-Retarget": "#notices", "HX-Reswap": "innerHTML" });
  }
};

// Send what waits, one after the other. What the shop says to each is kept until a page shows it.
let line = Promise.resolve();
const catchUp = () =>
  (line = line
    .catch(() => 0)
    .then(async () => {
      for (const it of await waiting()) {
        if (it.said) continue;
        const answer = await send(it, { "HX-Request": "true", "X-Late": "1" });
        if (answer.status > 499 || answer.status === 429 || answer.status === 401) throw answer.status;
        it.said = (await answer.text()) || " ";
        await taps((s) => s.put(it));
      }
    }));
const report = async (page) => {
  await catchUp().catch(() => 0);
  const said = (await waiting()).filter((it) => it.said);
  if (!page || !said.length) return;
  page.postMessage(said.map((it) => it.said));
  for (const it of said) await taps((s) => s.delete(it.key));
};

// Keep a page with the moment it was true. One person's pages at a time, and one order.
const keep = async (name, request, answer) => {
  let cache = await caches.open(name);
  let known = await cache.keys();
  const whose = answer.headers.get("X-Whose");
  if (name === "mine" && known[0] && (await cache.match(known[0])).headers.get("X-Whose") !== whose) {
    await forget();
    cache = await caches.open(name);
    known = [];
  }
  const head = new Headers(answer.headers);
  head.set("X-At", Date.now());
  for (const old of known) {
    if ((/\/o\//.test(old.url) && /\/o\//.test(request.url)) || known.indexOf(old) < known.length - C.most) await cache.delete(old);
  }
  await cache.put(request, new Response(await answer.blob(), { headers: head }));
};
const forget = () => Promise.all([caches.delete("mine"), taps((s) => s.clear())]);

// Files whose names change with their contents.
const file = async (request, name, event) => {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) event.waitUntil(keep(name, request, answer.clone()));
  return answer;
};

// The network first; after three seconds, or without one, the page as it was, which says so.
const show = async (request, path, event) => {
  const name = is("mine", path) ? "mine" : is("seen", path) && "seen";
  const kept = name && (await (await caches.open(name)).match(request, { ignoreVary: true }));
  const fresh = fetch(request).then((answer) => {
    if (name && answer.ok) event.waitUntil(keep(name, request, answer.clone()));
    if (C.once && answer.type === "opaqueredirect") event.waitUntil(caches.delete("mine"));
    return answer;
  });
  try {
    return await (kept ? Promise.race([fresh, new Promise((_, late) => setTimeout(late, 3000))]) : fresh);
  } catch (_) {
    fresh.catch(() => 0);
    if (!kept) return plain(C.away);
    const at = new Date(+kept.headers.get("X-At")).toTimeString().slice(0, 5);
    return new Response(saying(await kept.text(), C.as_of.replace("{t}", at)), { headers: kept.headers });
  }
};

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open(C.shell).then((cache) => cache.addAll([C.offline, ...C.files])));
});
addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (/^shell/.test(name) && name !== C.shell) await caches.delete(name);
      await clients.claim();
    })(),
  ),
);
addEventListener("fetch", (event) => {
  const request = event.request;
  const { origin, pathname: path } = new URL(request.url);
  if (origin !== location.origin) return;
  if (request.method === "POST") {
    if (is("forget", path)) event.waitUntil(forget());
    else if (is("taps", path)) event.respondWith(tap(request));
    else if (is("pay", path))
      event.respondWith(
        fetch(request).catch(() =>
          request.mode === "navigate"
            ? plain(C.pay_words)
            : html("<p class=\"break\">" + C.pay_words + "</p>", { "HX-Retarget": "#notices", "HX-Reswap": "innerHTML" }),
        ),
      );
  } else if (/^\/static\//.test(path)) event.respondWith(file(request, C.shell, event));
  else if (/^\/media\//.test(path)) event.respondWith(file(request, "pictures", event));
  else if (request.mode === "navigate") event.respondWith(show(request, path, event));
});
addEventListener("message", (event) => event.waitUntil(report(event.source)));
addEventListener("sync", (event) => event.waitUntil(catchUp().then(async () => report((await clients.matchAll())[0]))));
addEventListener("push", (event) => {
  const note = event.data.json();
  event.waitUntil(registration.showNotification(note.title, { body: note.body, tag: note.tag, icon: C.icon, data: note.path }));
});
addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(clients.openWindow(event.notification.data));
});
