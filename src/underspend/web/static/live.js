// The live tail, tooltips and keys. The page is whole without it.
// @ts-check

const tip = /** @type {HTMLElement} */ (document.getElementById("tip"));
const pulse = /** @type {HTMLElement} */ (document.getElementById("pulse"));
const REFRESH_MS = 3000;

/** @typedef {{id: string, state: string, started_at: string, project: string | null, model: string | null, session: string | null, evidence: string | null, unpriced: string | null, shown: Record<string, string>}} Call */

/** @param {Element} target @param {number} x @param {number} y */
function showTip(target, x, y) {
  const said = target.getAttribute("data-tip");
  if (!said) return;
  tip.textContent = said;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, x - box.width / 2), innerWidth - box.width - 8);
  const above = y - box.height - 14;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : y + 20}px`;
}

function hideTip() {
  tip.hidden = true;
}

/** @param {EventTarget | null} target */
function tipped(target) {
  return target instanceof Element ? target.closest("[data-tip]") : null;
}

document.addEventListener("pointermove", (event) => {
  const target = tipped(event.target);
  if (target) showTip(target, event.clientX, event.clientY);
  else hideTip();
});
document.addEventListener("pointerleave", hideTip);
document.addEventListener("focusin", (event) => {
  const target = tipped(event.target);
  if (!target) return hideTip();
  const box = target.getBoundingClientRect();
  showTip(target, box.left + box.width / 2, box.top);
});
document.addEventListener("focusout", hideTip);
document.addEventListener("scroll", hideTip, { passive: true });

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
  const typing = event.target instanceof HTMLInputElement;
  if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
  const link = document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`);
  if (link instanceof HTMLAnchorElement) link.click();
});

/** @param {Element} row @param {Call} call */
function fill(row, call) {
  row.setAttribute("data-id", call.id);
  const link = /** @type {HTMLAnchorElement} */ (row.querySelector("a"));
  link.href = `/_/calls/${encodeURIComponent(call.id)}`;
  link.textContent = call.shown.time;
  link.setAttribute("aria-label", `call ${call.id}, ${call.shown.time}`);
  for (const cell of row.querySelectorAll("[data-f]")) {
    cell.textContent = call.shown[cell.getAttribute("data-f") ?? ""] ?? "";
  }
  const paid = /** @type {Element} */ (row.querySelector('[data-f="paid"]'));
  paid.className = call.evidence === "estimated" && call.outcome !== "answered" ? "guess" : call.unpriced ? "bad" : "";
  const flag = row.querySelector(".flag");
  if (flag) flag.textContent = call.shown.end;
}

/** @param {Call} call */
function show(call) {
  const body = document.querySelector("tbody[data-live]");
  const blank = /** @type {HTMLTemplateElement | null} */ (document.getElementById("call-row"));
  if (!body || !blank) return;
  let row = body.querySelector(`tr[data-id="${CSS.escape(call.id)}"]`);
  if (!row) {
    row = /** @type {Element} */ (blank.content.firstElementChild).cloneNode(true);
    body.prepend(/** @type {Element} */ (row));
  }
  fill(/** @type {Element} */ (row), call);
  const most = Number(body.getAttribute("data-live"));
  while (body.children.length > most) body.lastElementChild?.remove();
}

let refreshing = 0;

/** Fetch this page again and put its figures in place of the old ones. */
async function refresh() {
  refreshing = 0;
  const reply = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!reply.ok) return;
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-part]")) {
    const name = part.getAttribute("data-part");
    const next = fresh.querySelector(`[data-part="${name}"]`);
    // Whoever is reading a part with the keyboard keeps their place.
    if (next && !part.contains(document.activeElement)) part.replaceWith(next);
  }
}

/** Whether the address, which holds the filter, lets the call in. @param {Call} call */
function passes(call) {
  const asked = new URLSearchParams(location.search);
  const until = asked.get("until");
  if (until && call.started_at.slice(0, 10) > until.slice(0, 10)) return false;
  const session = asked.get("session");
  if (session && !call.session?.startsWith(session)) return false;
  return [["project", call.project], ["model", call.model]].every(([name, value]) => {
    const wanted = asked.get(/** @type {string} */ (name));
    return !wanted || wanted === value;
  });
}

/** @param {Call} call */
function take(call) {
  if (document.body.hasAttribute("data-empty")) {
    if (call.state !== "open") setTimeout(() => location.reload(), 400);
    return;
  }
  if (passes(call)) show(call);
  if (call.state !== "open" && !refreshing) refreshing = window.setTimeout(refresh, REFRESH_MS);
}

if (document.body.dataset.page === "overview") {
  const feed = new EventSource("/_/live");
  feed.addEventListener("open", () => (pulse.className = "pulse on"));
  feed.addEventListener("error", () => (pulse.className = "pulse off"));
  feed.addEventListener("call", (event) => take(JSON.parse(/** @type {MessageEvent} */ (event).data)));
  addEventListener("pagehide", () => feed.close());
}
