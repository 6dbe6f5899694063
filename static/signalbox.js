/* What pages need beyond htmx: keys, palette, dialogs, focus, errors, quiet polling. Every page works without it. */
(() => {
  "use strict";
  const root = document.documentElement;
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const seen = (element) => element && element.getClientRects().length > 0 && !element.disabled;
  root.classList.add("js");

  /* Morph: hx-swap="morph" keeps what has the same id, with its focus, folds and input. */
  const keepsOpen = { DETAILS: 1, DIALOG: 1 };
  function morph(from, to) {
    if (from.isEqualNode(to)) return;
    if (from.nodeType !== 1) { from.nodeValue = to.nodeValue; return; }
    for (const { name, value } of [...to.attributes]) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    for (const { name } of [...from.attributes]) {
      const ours = name === "data-at" || (name === "tabindex" && from.dataset.row !== undefined) || (name === "open" && keepsOpen[from.nodeName]);
      if (!to.hasAttribute(name) && !ours) from.removeAttribute(name);
    }
    morphChildren(from, to);
  }
  function morphChildren(from, to) {
    const kept = new Set([...to.children].map((child) => child.id).filter(Boolean));
    const known = {};
    for (const child of [...from.children]) {
      if (!child.id) continue;
      if (kept.has(child.id)) known[child.id] = child; else child.remove();
    }
    let here = from.firstChild;
    for (const node of [...to.childNodes]) {
      const alike = here && !here.id && !node.id && here.nodeName === node.nodeName;
      const match = known[node.id] || (alike ? here : null);
      if (!match) from.insertBefore(node, here);
      else {
        if (match === here) here = here.nextSibling; else from.insertBefore(match, here);
        morph(match, node);
      }
    }
    while (here) { const next = here.nextSibling; here.remove(); here = next; }
  }
  htmx.defineExtension("morph", {
    isInlineSwap: (style) => style === "morph",
    handleSwap(style, target, fragment) {
      if (style !== "morph") return false;
      const first = fragment.firstElementChild;
      if (first && first.id && first.id === target.id) morph(target, first); else morphChildren(target, fragment);
      return [target];
    },
  });

  /* Polling: none while the tab is hidden; what has not changed answers 304. */
  const polls = (element) => /every/.test(element.getAttribute("hx-trigger") || "");
  const etags = new Map();
  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, target, path, verb, headers, triggeringEvent } = event.detail;
    if (!polls(elt) || triggeringEvent) return;
    if (document.hidden) return event.preventDefault();
    const etag = verb === "get" && etags.get(target.id + path);
    if (etag) headers["If-None-Match"] = etag;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const { elt, requestConfig, target, xhr } = event.detail;
    if (requestConfig && polls(requestConfig.elt)) etags.set(target.id + requestConfig.path, xhr.getResponseHeader("ETag"));
    else etags.clear();
    if (elt.id === "dialog" && !elt.open) elt.showModal();
  });

  /* Focus: after a swap that took the focused row away, the next row has it. */
  const rows = () => $$("main [data-row]").filter(seen);
  const current = () => document.activeElement.closest("[data-row]") || $("main [data-row][data-at]");
  const since = new Map();
  function enter(row) {
    $$("[data-at]").forEach((other) => other.removeAttribute("data-at"));
    row.dataset.at = "";
    row.tabIndex = -1;
    row.focus();
    since.set(row.id, performance.now());
  }
  const focusOn = (element) => (element.dataset.row === undefined ? element.focus() : enter(element));
  let heirs = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const active = document.activeElement;
    heirs = null;
    if (!event.detail.shouldSwap || !event.detail.target.contains(active) || active === document.body) return;
    const own = active.closest("[data-row]"), row = own || $("[data-row][data-at]", event.detail.target);
    const all = rows(), at = all.indexOf(row), next = row ? [...all.slice(at + 1), ...all.slice(0, at).reverse(), row] : [];
    heirs = [own ? "" : active.id, ...next.map((other) => other.id), event.detail.target.id];
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const say = $("[data-focus]", event.detail.elt);
    if (say) focusOn(say);
    else if (heirs && (!document.activeElement || document.activeElement === document.body)) {
      const next = heirs.map((id) => id && document.getElementById(id)).find(seen) || $("#main");
      if (next && next.dataset.row !== undefined) enter(next); else if (next) next.focus();
    }
    heirs = null;
  });

  /* Errors from the server are shown where the person looks. */
  function toast(text) {
    const box = document.createElement("div");
    box.className = "toast failed";
    box.innerHTML = '<i aria-hidden="true">▲</i><p></p><button type="button" data-close=".toast" aria-label="Dismiss">×</button>';
    $("p", box).textContent = text;
    $("#status").append(box);
  }
  function trouble(element, text) {
    const near = element && (element.closest("form") || element.closest("[data-row], dialog, .card"));
    const place = near && $("[data-errors]", near);
    if (place) place.textContent = text; else toast(text);
  }
  document.addEventListener("htmx:responseError", (event) => {
    const { elt, xhr } = event.detail;
    const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
    const said = ["h1", "h1 + p"].map((part) => $(part, page)).filter(Boolean).map((part) => part.textContent.trim());
    trouble(elt, said.join(". ") || `The server answered ${xhr.status}.`);
  });
  for (const name of ["htmx:sendError", "htmx:timeout"])
    document.addEventListener(name, (event) => {
      if (!polls(event.detail.elt)) trouble(event.detail.elt, "No answer from the server. Look again before you repeat this.");
    });

  /* Dialogs: <a data-dialog href> shows that page's "dialog" fragment; data-show opens one that is here already. */
  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    let hit;
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    if ((hit = on("[data-select]")) && !event.target.closest("label, input") && matchMedia("(min-width: 1024px)").matches && hit.dataset.at === undefined) { event.preventDefault(); enter(hit); }
    else if ((hit = on("[data-palette]"))) { event.preventDefault(); openPalette(); }
    else if ((hit = on("[data-show]"))) { event.preventDefault(); $(`#${hit.dataset.show}`).showModal(); }
    else if ((hit = on("a[data-dialog]"))) { event.preventDefault(); htmx.ajax("GET", hit.href, { source: hit, target: "#dialog", swap: "innerHTML" }); }
    else if ((hit = on("[data-close]"))) {
      const what = hit.closest(hit.dataset.close);
      if (what && what.close) { event.preventDefault(); what.close(); } else if (what) what.remove();
    }
    else if ((hit = on("[data-copy]"))) copy(hit);
    else if (event.target.nodeName === "DIALOG") event.target.close();
  });
  async function copy(button) {
    const block = button.parentElement && $("pre", button.parentElement);
    await navigator.clipboard.writeText(button.dataset.copy || (block ? block.textContent : ""));
    const word = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = word; }, 1500);
  }

  function openPalette() {
    const palette = $("#palette"), input = palette && $("input", palette);
    if (!palette || palette.open) return;
    palette.showModal();
    input.select();
    input.dispatchEvent(new Event("open"));
  }
  document.addEventListener("keydown", (event) => {
    const palette = event.target.closest && event.target.closest("#palette");
    if (!palette) return;
    const links = $$("a[href]", palette), at = links.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); (links[at + step] || (step < 0 ? $("input", palette) : links[0] || event.target)).focus(); }
    else if (event.key === "Enter" && at < 0 && links[0]) { event.preventDefault(); links[0].click(); }
  });

  /* Keys; off by data-keys="off" on <html>. */
  let going = 0;
  const press = (element) => { if (element.matches("input:not([type=checkbox]), textarea")) element.focus(); else element.click(); };
  document.addEventListener("keydown", (event) => {
    const key = event.key;
    if ((event.metaKey || event.ctrlKey) && key.toLowerCase() === "k" && $("#palette")) { event.preventDefault(); return openPalette(); }
    if (root.dataset.keys === "off" || event.metaKey || event.ctrlKey || event.altKey || event.isComposing) return;
    const fold = key === "Escape" && event.target.closest("details[data-ask][open]");
    if (fold) { fold.open = false; const at = $("main [data-row][data-at]"); (seen(at) ? at : $("summary", fold)).focus(); return; }
    if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog")) return;
    const use = (element) => { if (seen(element)) { event.preventDefault(); press(element); } };
    if (Date.now() - going < 1200) { going = 0; const link = $(`[data-go="${CSS.escape(key)}"]`); if (link) { event.preventDefault(); link.click(); } return; }
    const row = current();
    if (key === "g") going = Date.now();
    else if (key === "?") { const keys = $("#keys"); if (keys && !keys.open) keys.showModal(); }
    else if (key === "/") { event.preventDefault(); const box = $('main [data-key="/"]'); if (seen(box)) box.focus(); else openPalette(); }
    else if (key === "j" || key === "k") {
      const all = rows(), at = all.indexOf(row), next = all[key === "j" ? at + 1 : Math.max(0, at - 1)];
      if (next) { event.preventDefault(); enter(next); }
    }
    else if (key === "Enter" && row === event.target) use($("a[href]", row));
    else if (key === "x" && row) use($("[data-pick]", row));
    else if ("aedsz".includes(key)) use((row && $(`[data-key="${key}"]`, row)) || $$(`main [data-key="${key}"]`).find(seen) || $$(`#status [data-key="${key}"]`).reverse().find(seen));
    else if (key === "p") { const button = $('.bar [data-key="p"]'); if (button) { event.preventDefault(); button.click(); } }
  });

  /* How long a question was in front of the person, sent along with the answer. */
  const looked = (form) => {
    const item = form.closest("li"), row = item && $("[data-row]", item);
    return Math.round(performance.now() - ((row && since.get(row.id)) || 0));
  };
  document.addEventListener("htmx:configRequest", ({ detail }) => { if (detail.verb === "post" && detail.parameters.shown) detail.parameters.looked = looked(detail.elt); });
  document.addEventListener("submit", ({ target }) => {
    const shown = $("[name=shown]", target);
    if (shown) shown.insertAdjacentHTML("afterend", `<input type="hidden" name="looked" value="${looked(target)}">`);
  });

  /* A fold that asks: its first answer has the focus; Escape closes it. */
  document.addEventListener("toggle", ({ target }) => { const first = target.open && target.matches("[data-ask]") && $("form button", target); if (first) first.focus(); }, true);

  /* Small things: picked rows are counted, filters send themselves, folds are open in print, times grow older. */
  document.addEventListener("change", (event) => {
    const { target } = event, form = target.form;
    if (!form) return;
    const picks = [...form.elements].filter((box) => box.matches("[data-pick]"));
    if (target.matches("[data-pick-all]")) picks.forEach((box) => { box.checked = target.checked; });
    if (target.matches("[data-pick], [data-pick-all]")) $$("[data-picked]", form).forEach((place) => { place.textContent = picks.filter((box) => box.checked).length; });
    if (form.matches("[data-auto]")) form.requestSubmit();
  });
  document.addEventListener("click", ({ target }) => {
    const form = target.matches("[data-pick-like]") && target.form, picked = form && [...form.elements].find((box) => box.matches("[data-pick]:checked"));
    if (!picked) return;
    [...form.elements].forEach((box) => { if (box.matches("[data-pick]")) box.checked = box.dataset.like === picked.dataset.like; });
    picked.dispatchEvent(new Event("change", { bubbles: true }));
  });
  const MOST_TOASTS = 3;
  let opened = [];
  addEventListener("beforeprint", () => { opened = $$("details:not([open])"); opened.forEach((fold) => { fold.open = true; }); });
  addEventListener("afterprint", () => opened.forEach((fold) => { fold.open = false; }));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  setInterval(() => {
    if (document.hidden) return;
    for (const time of $$("time[data-when]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000, size = seconds > 0 ? seconds : 1 - seconds;
      const unit = units.find(([, length]) => size >= length);
      if (size < 5 || size >= 14 * 86400 || !unit) continue;
      const text = `${Math.floor(size / unit[1])} ${unit[0]}`;
      const words = seconds < 0 ? `in ${text}` : time.dataset.when === "since" ? text : `${text} ago`;
      if (time.textContent !== words) time.textContent = words;
    }
  }, 5000);
  function fade(toasts) {
    $$("#status .toast:is(.live, .quiet)").slice(0, -MOST_TOASTS).forEach((box) => box.remove());
    toasts.forEach((box) => setTimeout(() => { if (!box.matches(":hover, :focus-within")) box.remove(); }, $("[data-undo]", box) ? 5000 : 8000));
  }
  htmx.onLoad((part) => {
    $$("[data-copy][hidden]", part).forEach((button) => { button.hidden = false; });
    const passing = ".toast:is(.live, .quiet)";
    fade(part.matches(passing) ? [part] : $$(passing, part));
    if (!/Mac|iP/.test(navigator.platform)) $$("kbd", part).forEach((kbd) => { if (kbd.textContent === "⌘K") kbd.textContent = "Ctrl K"; });
  });
  const first = $("[data-focus]");
  if (first) focusOn(first);
})();
