// This file keeps the picture of the architecture up to date. The server sends what has changed, by name; the elements of the
// page say which names they show: data-text as their text, data-d as their shape, data-look as their state. A name that begins
// with ">" is a move: how many messages or calls have gone a way since the server began to look. Its increase moves as dots.

const sign = document.getElementById("live");
const pictures = [...document.querySelectorAll(".stage svg")];
const still = matchMedia("(prefers-reduced-motion: reduce)");

const shown = new Map(); // by name: how to show a value
const show = (attribute, set) => {
  for (const e of document.querySelectorAll(`[data-${attribute}]`)) {
    const name = e.dataset[attribute];
    shown.set(name, [...(shown.get(name) ?? []), (value) => set(e, value)]);
  }
};
show("text", (e, value) => { e.textContent = value; });
show("look", (e, value) => { e.dataset.state = value; });
show("d", (e, value) => setTimeout(() => e.setAttribute("d", value), still.matches ? 0 : landing)); // when the dots have come

const landing = 900; // ms that a dot needs to a queue, about
const speed = 0.45; // px a ms
const most = 80; // dots at the same time
const named = 30; // dots at the same time up to which they have names
const each = 4; // dots of one move at a time; more of them are told by the numbers
const apart = 250; // ms between the moves of one frame, which in truth may have followed each other in a few ms

const moved = new Map(); // by move: how often
let known = false; // these numbers are known, so that an increase is one

function take(frame) {
  const moves = [];
  for (const [name, value] of Object.entries(frame)) {
    if (!name.startsWith(">")) {
      for (const set of shown.get(name) ?? []) set(value);
      continue;
    }
    const [times, last] = value.split(" ").map(Number);
    const more = times - (moved.get(name) ?? 0);
    moved.set(name, times);
    const [places, what, word] = name.slice(1).split("|");
    if (known && more > 0) moves.push({ places: places.split(" "), what, word, more, last });
  }
  known = true;
  play(moves.sort((a, b) => a.last - b.last));
}

// play shows moves one after the other. A message that a consumer has taken at once goes on from its queue without a stop.
function play(moves) {
  const taken = new Map();
  for (const m of moves) if (/\.(commands|events)$/.test(m.places[0])) taken.set(m.places[0], m);
  const pause = Math.min(apart, 3000 / moves.length);
  let wait = 0;
  for (const { places, what, word, more } of moves) {
    if (taken.has(places[0])) continue;
    const next = taken.get(places.at(-1));
    const on = Math.min(more, next?.more ?? 0);
    if (on > 0) {
      next.more -= on;
      go([...places, next.places[1]], what, word, on, wait);
    }
    go(places, what, word, more - on, wait);
    if (word) wait += pause;
  }
  for (const { places, what, more } of taken.values()) go(places, what, "", more, landing);
}

// go lets dots move from place to place.
const ways = new Map(); // by picture and places: the path
const dots = new Set();
let drawing = 0; // the next step

function go(places, what, word, n, wait) {
  const picture = pictures.find((p) => p.getBoundingClientRect().width > 0);
  const path = n > 0 && picture && !still.matches && !document.hidden && wayOf(picture, places);
  if (!path) return;
  sweep(performance.now());
  const drawn = Math.min(n, each);
  const spread = what === "call" || what === "failed" ? 2000 : 500; // ms between two frames that tell it
  for (let i = 0; i < drawn && dots.size < most; i++) start(picture, path, what, i === 0 ? word : "", wait + i * spread / drawn);
}

function wayOf(picture, places) {
  const key = pictures.indexOf(picture) + places.join(" ");
  if (!ways.has(key)) {
    const parts = places.slice(1).map((to, i) => picture.querySelector(`[data-way="${CSS.escape(places[i])} ${CSS.escape(to)}"]`)?.getAttribute("d"));
    let path = null;
    if (parts.every(Boolean)) { // a way ends on a rail, and the next one begins on it
      path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", parts.join(" ").replace(/ M/g, "L"));
      path.length = path.getTotalLength();
    }
    ways.set(key, path);
  }
  return ways.get(key);
}

function start(picture, path, what, word, wait) {
  const make = (name, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    return e;
  };
  const e = make("g", { class: what, visibility: "hidden" });
  e.append(what === "event" ? make("rect", { class: `dot ${what}`, x: -5, y: -5, width: 10, height: 10 }) : make("circle", { class: `dot ${what}`, r: what === "call" ? 4 : 6 }));
  const text = make("text", { y: 4 });
  text.textContent = dots.size < named ? word : "";
  e.append(text);
  picture.querySelector(".dots").append(e);
  const now = performance.now();
  dots.add({ e, path, text, edge: picture.viewBox.baseVal.width - 130, begins: now + wait, ends: now + wait + Math.max(500, path.length / speed) });
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(step);
}

function step(now) {
  sweep(now);
  for (const { e, path, text, edge, begins, ends } of dots) {
    if (now < begins) continue;
    const { x, y } = path.getPointAtLength((now - begins) / (ends - begins) * path.length);
    e.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    e.removeAttribute("visibility");
    text.setAttribute("x", x > edge ? -9 : 9);
    text.setAttribute("text-anchor", x > edge ? "end" : "start");
  }
  if (dots.size > 0) drawing = requestAnimationFrame(step);
}

// sweep removes dots that have arrived. A browser that does not draw the page calls no step.
function sweep(now) {
  for (const dot of dots) {
    if (now < dot.ends) continue;
    dot.e.remove();
    dots.delete(dot);
  }
}

// The stream. It is closed while nobody sees the page: a browser has only six connections to a host.
let stream = null;
let heard = 0; // time of the last event
let asOf = new Date(); // of what the picture shows
let every = 10; // seconds between two heartbeats
let wait = 1; // seconds until the next attempt to connect
let next = 0; // timer of the next attempt

const clock = () => asOf.toLocaleTimeString("en-GB");
const states = { live: () => "Live", reconnecting: () => `Reconnecting. What you see is of ${clock()}`, stranger: () => `You are signed out. What you see is of ${clock()}` };
function say(state) {
  if (sign.dataset.state === state) return;
  sign.dataset.state = state;
  sign.textContent = states[state]();
}

function hangUp() {
  clearTimeout(next);
  stream?.close();
  stream = null;
}

function connect() {
  hangUp();
  known = false;
  heard = Date.now();
  stream = new EventSource(sign.dataset.src);
  const alive = () => {
    heard = Date.now();
    asOf = new Date();
    wait = 1;
    say("live");
  };
  stream.addEventListener("beat", ({ data }) => {
    every = Number(data) || every;
    alive();
  });
  stream.onmessage = ({ data }) => {
    alive();
    take(JSON.parse(data));
  };
  stream.onerror = lose;
}

// lose tries again later, unless the session is over: a stream does not tell its status.
async function lose() {
  hangUp();
  say("reconnecting");
  const answer = await fetch(sign.dataset.src, { method: "HEAD", headers: { Accept: "text/event-stream" } }).catch(() => null);
  if (answer?.status === 401 || answer?.status === 403) return say("stranger");
  hangUp(); // somebody may have come back meanwhile
  next = setTimeout(connect, wait * (500 + Math.random() * 1000)); // not all browsers at the same time
  wait = Math.min(2 * wait, 15);
}

document.addEventListener("visibilitychange", () => (document.hidden ? hangUp() : connect()));
addEventListener("online", connect);
addEventListener("pageshow", (shown) => shown.persisted && location.reload()); // from the cache of the back button
setInterval(() => { if (stream && Date.now() - heard > 2.5 * every * 1000) lose(); }, 2000);
if (!document.hidden) connect();
