"use strict";
// What the pages gain where scripts run: parts that stay up to date, forms that answer without a reload, a chart's
// figures under the pointer. Without it every page works all the same.
//
// Parts: an element with `data-live` and an id is replaced by its counterpart of the page fetched anew, unless
// somebody is writing in it; one with `data-live="said"`, what a form was answered, by the next answer only. Forms with `data-quiet` are sent in the background and answered by the same exchange.

const QUIET_MS = 1000; // at most one refresh in this time, however much happens
const RETRY_MS = 5000;

function writesIn(part) {
  const at = document.activeElement;
  if (part.contains(at) && at.matches("input, textarea, select")) return true;
  return [...part.querySelectorAll("input, textarea")].some((one) => one.value !== one.defaultValue);
}

// Put the new page's parts in place; what is opened stays open, what is scrolled stays where it is.
function exchange(fresh, force) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.outerHTML === part.outerHTML || (!force && (part.dataset.live || writesIn(part)))) continue;
    const open = [...part.querySelectorAll("details")].map((one) => one.open);
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const down = part.scrollHeight - part.scrollTop - part.clientHeight < 40;
    const top = part.scrollTop;
    next.querySelectorAll("details").forEach((one, at) => (one.open = open[at] ?? false));
    part.replaceWith(next);
    next.scrollTop = down ? next.scrollHeight : top;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

// A page that is another one (signed out meanwhile) is gone to; others are exchanged part by part.
async function take(response, force) {
  const html = await response.text();
  if (response.redirected && new URL(response.url).pathname !== location.pathname) {
    location.assign(response.url);
    return;
  }
  const fresh = new DOMParser().parseFromString(html, "text/html");
  exchange(fresh, force);
}

let waiting = false;
let again = false;
async function refresh() {
  again = true;
  if (waiting || document.hidden) return;
  waiting = true;
  try {
    while (again && !document.hidden) {
      again = false;
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (response.ok) await take(response, false);
      await new Promise((done) => setTimeout(done, QUIET_MS));
    }
  } catch {
    // The daemon is away: the stream of events says so, and asks again when it is back.
  } finally {
    waiting = false;
  }
}

// Live: one stream of events while the page is seen; each event is a reason to look, not the figures themselves.
function live() {
  const sign = document.getElementById("live");
  if (!sign || !document.querySelector("[data-live]")) return;
  let source = null;
  const tell = (on, text) => {
    sign.hidden = false;
    sign.classList.toggle("on", on);
    if (sign.textContent !== text) sign.textContent = text;
  };
  const listen = () => {
    if (source || document.hidden) return;
    source = new EventSource(`/events?seen=${sign.dataset.seen}`);
    let broken = false;
    source.addEventListener("open", () => {
      tell(true, "Live");
      if (broken) refresh();
      broken = false;
    });
    source.addEventListener("change", refresh);
    source.addEventListener("error", () => {
      broken = true;
      tell(false, "Not live");
      if (source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(listen, RETRY_MS);
      }
    });
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else {
      listen();
      refresh();
    }
  });
  addEventListener("pagehide", () => source?.close());
  listen();
}

// The last message is seen: on a desk the talk scrolls, on a phone the page does.
function toTheLast() {
  const talk = document.querySelector(".console .talk");
  if (!talk) return;
  talk.scrollTop = talk.scrollHeight;
  if (getComputedStyle(talk).overflowY === "visible") scrollTo(0, document.documentElement.scrollHeight);
}

// A message shows at once, with its answer still to come.
function sayAtOnce(form) {
  const talk = document.getElementById("talk");
  const field = form.querySelector("textarea");
  talk.querySelector(".empty")?.remove();
  for (const [role, who, text] of [["user", "User", field.value], ["bot", "", "…"]]) {
    const article = document.createElement("article");
    article.className = `said ${role}`;
    const name = document.createElement("p");
    name.className = "who";
    name.textContent = who;
    const words = document.createElement("div");
    words.className = "words";
    words.textContent = text;
    article.append(name, words);
    talk.append(article);
  }
  field.value = "";
  toTheLast();
}

async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  const talks = form.hasAttribute("data-say");
  const said = talks ? form.querySelector("textarea").value : "";
  if (talks) sayAtOnce(form);
  const buttons = form.querySelectorAll("button");
  buttons.forEach((one) => (one.disabled = true));
  try {
    const action = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
    const response = await fetch(action, { method: "POST", body, headers: { Accept: "text/html" } });
    await take(response, true);
    if (talks && !response.ok) form.querySelector("textarea").value ||= said;
  } catch {
    if (talks) form.querySelector("textarea").value ||= said;
    complain("The daemon did not answer. What you wrote is still in the form.");
  } finally {
    buttons.forEach((one) => (one.disabled = false));
    if (talks) toTheLast();
    if (talks) form.querySelector("textarea").focus({ preventScroll: true });
  }
}

function complain(text) {
  const notice = document.createElement("div");
  notice.className = "notice error";
  notice.setAttribute("role", "alert");
  notice.textContent = text;
  document.getElementById("notices").replaceChildren(notice);
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-quiet]")) return;
  event.preventDefault();
  send(event.target, event.submitter);
});
for (const button of document.querySelectorAll("form[data-choose] button")) button.hidden = true;
document.addEventListener("change", (event) => event.target.closest("form[data-choose]")?.requestSubmit());
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !event.target.matches(".say textarea")) return;
  event.preventDefault();
  if (!event.target.form.querySelector("button").disabled) event.target.form.requestSubmit();
});

// A chart's figures under the pointer, sooner than the browser would show them.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
document.addEventListener("pointermove", (event) => {
  const over = event.target.closest?.(".chart g, .chart circle, .bars g, .partsbar g");
  const title = over?.querySelector("title");
  tip.hidden = !(title || (over && over.dataset.tip));
  if (tip.hidden) return;
  if (title) {
    over.dataset.tip = title.textContent; // taken away, so that the browser's own tip does not come too
    title.remove();
  }
  tip.textContent = over.dataset.tip;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - box.width - 8)}px`;
  tip.style.top = `${Math.max(8, event.clientY - box.height - 12)}px`;
});
addEventListener("scroll", () => (tip.hidden = true), { capture: true, passive: true });

// What was done is told once: not again by a reload, not by whoever is given the address.
const here = new URL(location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}

live();
toTheLast();
