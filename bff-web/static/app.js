// This file keeps pages up to date. Without it a visitor reloads the page; it does the same, without flicker. A page has a sign
// (.sign): data-live is the order that the page shows, or data-every the number of seconds that it stays fresh. The elements
// with data-part are replaced from a fresh copy. A part in which the visitor is typing is replaced afterwards.

const reachable = "a, button, input, summary, [tabindex]";
const sign = document.querySelector(".sign");

const inputs = "input:not([type=hidden]), select, textarea";
const changed = (e) => (e.options ? e.selectedIndex !== Math.max(0, [...e.options].findIndex((o) => o.defaultSelected)) : e.value !== e.defaultValue);
const typing = (part) => [...part.querySelectorAll(inputs)].some((e) => e === document.activeElement || changed(e));

let loading = null;
let late = false; // a part is older than the rest of the page, since the visitor was typing in it

async function load() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`the page answers ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (answer.redirected) return fresh; // the session is over: the page stays as it is
  inTheReadersZone(fresh); // before the comparison
  late = false;
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = fresh.getElementById(part.id);
    if (!now) continue;
    const open = [...part.querySelectorAll("details")].map((d) => d.open);
    now.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
    if (now.innerHTML === part.innerHTML) continue;
    if (typing(part)) {
      late = true;
      continue;
    }
    const at = [...part.querySelectorAll(reachable)].indexOf(document.activeElement);
    part.replaceChildren(...now.childNodes);
    if (at >= 0) part.querySelectorAll(reachable)[at]?.focus();
  }
  return fresh;
}

// refresh loads the page, one request at a time. If it is called meanwhile, it loads once more: the first copy may be too old.
let again = false;
function refresh() {
  if (loading) {
    again = true;
    return loading;
  }
  loading = load().finally(() => {
    loading = null;
    if (again) {
      again = false;
      refresh().catch(() => {});
    }
  });
  return loading;
}

// words are the texts of the sign, because not everybody can see its colour. asOf is the time of the page's data.
let asOf = new Date();
const words = {
  live: () => "Live: what changes is shown at once",
  every: () => `Live: looked at every ${seconds} seconds`,
  reconnecting: () => `Reconnecting. What you see is of ${clock(asOf)}`,
  offline: () => `You are offline. What you see is of ${clock(asOf)}`,
  stranger: () => `You are signed out, or somebody else is signed in. What you see is of ${clock(asOf)}`,
  over: () => "",
};
const clock = (at) => at.toLocaleTimeString("en-GB");

function show(state) {
  if (sign.dataset.state === state) return;
  sign.dataset.state = state;
  sign.textContent = words[state]();
}

const seconds = Number(sign?.dataset.every) || 3; // between two requests when the line is not live
let line = sign?.dataset.every ? "none" : "connecting"; // state of the line; only "live" makes requests unnecessary
let told = 0; // time of the last message from the line
let stale = false; // the last request has failed

// look brings the page up to date.
async function look() {
  try {
    const now = (await refresh()).querySelector(".sign");
    if (!now) return show("stranger");
    asOf = new Date();
    stale = false;
    if (now.dataset.live) sign.dataset.seq = now.dataset.seq;
    else delete sign.dataset.live;
    show(following() ? (line === "live" ? "live" : "every") : "over");
  } catch {
    stale = true;
    show(navigator.onLine ? "reconnecting" : "offline");
  }
}

const following = () => Boolean(sign.dataset.live || sign.dataset.every);

// join asks the line (line.js) for notifications about the order, and returns a function that sends it messages. Without a line,
// the page is reloaded regularly.
function join() {
  if (!sign.dataset.live || !window.SharedWorker) return () => {};
  const { port } = new SharedWorker(new URL("line.js" + new URL(import.meta.url).search, import.meta.url));
  port.onmessage = ({ data }) => {
    told = Date.now();
    const cut = line === "live" && data.line === "lost";
    line = data.line;
    if (cut) show("reconnecting");
    if (cut || data.look) look();
    else if (line === "live" && !stale && following()) show("live");
  };
  return (message) => port.postMessage(message);
}

function stayTrue() {
  const say = join();
  const here = (awake) => say(document.hidden || !following() ? {} : { order: sign.dataset.live, seq: Number(sign.dataset.seq), awake });
  const awake = () => {
    here(true);
    if (!document.hidden && following()) look();
  };
  addEventListener("focus", awake);
  addEventListener("online", awake);
  document.addEventListener("visibilitychange", awake);
  document.addEventListener("focusout", () => setTimeout(() => { // after the next element has got the focus
    if (late && ![...document.querySelectorAll("[data-part]")].some(typing)) look();
  }));
  addEventListener("offline", () => following() && show("offline"));
  addEventListener("pagehide", () => say({}));
  addEventListener("pageshow", (shown) => shown.persisted && location.reload()); // from the cache of the back button
  here();
  setInterval(() => {
    if (document.hidden) return;
    here();
    if (line === "live" && Date.now() - told > 30_000) line = "lost"; // it answers each message, so it has ended
    if (following() && (line !== "live" || stale)) look();
  }, seconds * 1000);
}

// inTheReadersZone converts the times of a page from UTC to the reader's time zone. The title keeps the time in UTC.
const zone = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" };
const usual = new Intl.DateTimeFormat("en-GB", zone);
const exact = new Intl.DateTimeFormat("en-GB", { ...zone, fractionalSecondDigits: 3 });
function inTheReadersZone(page) {
  for (const time of page.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.textContent = ("exact" in time.dataset ? exact : usual).format(new Date(time.dateTime));
  }
}

inTheReadersZone(document);
if (sign && following()) stayTrue();
