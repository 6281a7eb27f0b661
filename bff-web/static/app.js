// Pages that stay true by themselves. Everything works without this file, by loading the page again: all it does is that,
// without a flicker. A page has a sign (.sign) that says with data-live which order it shows, or with data-every how many
// seconds it stays fresh; its elements with data-part are what a fresh copy replaces. A part in which somebody is typing stays
// as it is, and is replaced afterwards.

const reachable = "a, button, input, summary, [tabindex]";
const sign = document.querySelector(".sign");

const inputs = "input:not([type=hidden]), select, textarea";
const changed = (e) => (e.options ? e.selectedIndex !== Math.max(0, [...e.options].findIndex((o) => o.defaultSelected)) : e.value !== e.defaultValue);
const typing = (part) => [...part.querySelectorAll(inputs)].some((e) => e === document.activeElement || changed(e));

let loading = null;
let late = false; // a part is older than the rest of the page: somebody was typing in it

async function load() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`the page answers ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (answer.redirected) return fresh; // the session is over: what is shown stays, and ages
  inTheReadersZone(fresh); // before it is compared
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

// refresh loads once at a time, and once more when it is called meanwhile: the copy under way may be too old.
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

// What the sign says, in words: a colour alone says nothing to many. asOf is when the page was true.
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

const seconds = Number(sign?.dataset.every) || 3; // between two looks, where no line tells when
let line = sign?.dataset.every ? "none" : "connecting"; // how it is: only a live one makes looking superfluous
let told = 0; // when the line said something
let stale = false; // the last look did not succeed

// look makes the page true again.
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

// join asks the line for notifications about the order, and returns a way to talk to it. Where there is no line, the page is looked at.
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
  document.addEventListener("focusout", () => setTimeout(() => { // once the next element has the focus
    if (late && ![...document.querySelectorAll("[data-part]")].some(typing)) look();
  }));
  addEventListener("offline", () => following() && show("offline"));
  addEventListener("pagehide", () => say({}));
  addEventListener("pageshow", (shown) => shown.persisted && location.reload()); // from the back button's memory
  here();
  setInterval(() => {
    if (document.hidden) return;
    here();
    if (line === "live" && Date.now() - told > 30_000) line = "lost"; // it answers each time, so it is gone
    if (following() && (line !== "live" || stale)) look();
  }, seconds * 1000);
}

// Times come in UTC, and say so.
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
