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
const speed = 0.4; // px a ms
const tick = 25; // ms from one known place of a dot to the next
const early = 2000; // ms in advance in which a free moment is looked for
const seldom = 100; // ms between two looks for free moments
const most = 120; // dots at the same time
const high = 15; // px
const lane = 8; // px from the middle of an exchange: what goes left or down passes what goes right or up
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
      send([...places, next.places[1]], what, on, wait);
    }
    send(places, what, more - on, wait);
    if (word) wait += pause;
  }
  for (const { places, what, more } of taken.values()) send(places, what, more, landing);
  const now = performance.now();
  sweep(now);
  depart(now);
}

// What moves the same way at the same time is one dot with a number. A dot departs at the first moment at which it will meet no
// other one on its whole way; what finds no such moment waits, and goes with what comes next.
const waiting = new Map(); // by picture, places and what
const dots = new Set();
let drawing = 0; // the next step

function send(places, what, n, wait) {
  const picture = pictures.find((p) => p.getBoundingClientRect().width > 0);
  const way = n > 0 && picture && !still.matches && !document.hidden && wayOf(picture, places);
  if (!way) return;
  const key = [pictures.indexOf(picture), ...places, what].join(" ");
  const same = waiting.get(key);
  if (same) same.n += n;
  else waiting.set(key, { picture, way, what, n, from: performance.now() + wait });
}

let looked = 0; // for free moments

function depart(now) {
  if (now - looked > seldom) look(now);
  cancelAnimationFrame(drawing);
  if (dots.size + waiting.size > 0) drawing = requestAnimationFrame(step);
}

function look(now) {
  looked = now;
  for (const [key, { picture, way, what, n, from }] of waiting) {
    if (dots.size === most || from > now + early) continue;
    const width = n > 1 ? 8 + 7 * String(n).length : 12;
    const soonest = Math.ceil(Math.max(from, now) / tick) * tick;
    for (let begins = soonest; begins < soonest + early; begins += tick) {
      if (!isFree(way, begins, width)) continue;
      start(picture, way, what, n, width, begins);
      waiting.delete(key);
      break;
    }
  }
}

// isFree looks at each tick on which sides of another dot the new one is. They do not meet between two ticks if one of these sides
// stays the same, because between ticks both move straight.
function isFree(way, begins, width) {
  for (const other of dots) {
    const end = Math.min(begins + way.takes, other.begins + other.way.takes);
    const apart = (width + other.width) / 2 + 2;
    let before = 15;
    for (let t = Math.max(begins, other.begins); t <= end; t += tick) {
      const [ax, ay] = way.points[(t - begins) / tick];
      const [bx, by] = other.way.points[(t - other.begins) / tick];
      const sides = (ax - bx >= apart) | (bx - ax >= apart) << 1 | (ay - by >= high) << 2 | (by - ay >= high) << 3;
      if ((sides & before) === 0) return false;
      before = sides;
    }
  }
  return true;
}

const ways = new Map(); // by picture and places: where a dot is at each tick

function wayOf(picture, places) {
  const key = pictures.indexOf(picture) + places.join(" ");
  if (!ways.has(key)) {
    const parts = places.slice(1).map((to, i) => picture.querySelector(`[data-way="${CSS.escape(places[i])} ${CSS.escape(to)}"]`));
    ways.set(key, parts.every(Boolean) ? survey(parts) : null);
  }
  return ways.get(key);
}

// survey joins the parts of a way. Where one ends in the middle of an exchange, and the next one begins elsewhere in it, the way
// between them is on a lane.
function survey(parts) {
  let d = "";
  for (const [i, part] of parts.entries()) {
    const begin = part.getPointAtLength(0);
    const before = i > 0 && parts[i - 1].getPointAtLength(parts[i - 1].getTotalLength());
    if (before && Math.hypot(begin.x - before.x, begin.y - before.y) > 2 * lane) {
      const right = Math.sign(begin.x - before.x) * lane;
      const down = Math.sign(begin.y - before.y) * lane;
      for (const p of [before, begin]) d += `L${p.x - down} ${p.y - right}`;
    }
    d += part.getAttribute("d").replace("M", i > 0 ? "L" : "M");
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", d);
  const length = path.getTotalLength();
  const ticks = Math.ceil(Math.max(500, length / speed) / tick);
  const points = Array.from({ length: ticks + 1 }, (_, i) => path.getPointAtLength(i / ticks * length)).map(({ x, y }) => [x, y]);
  return { points, takes: ticks * tick };
}

function start(picture, way, what, n, width, begins) {
  const make = (name, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    return e;
  };
  const box = (w, h, rx) => make("rect", { class: `dot ${what}`, x: -w / 2, y: -h / 2, width: w, height: h, rx });
  const e = make("g", { class: what, visibility: "hidden" });
  if (n > 1) {
    const text = make("text", { y: 4 });
    text.textContent = n;
    e.append(box(width, high, what === "event" ? 2 : 7), text);
  } else e.append(what === "event" ? box(11, 11, 0) : make("circle", { class: `dot ${what}`, r: what === "call" ? 4 : 6 }));
  picture.querySelector(".dots").append(e);
  dots.add({ e, way, width, begins });
}

function step(now) {
  sweep(now);
  for (const { e, way, begins } of dots) {
    const at = (now - begins) / tick;
    if (at < 0) continue;
    const [x, y] = way.points[Math.floor(at)];
    const [toX, toY] = way.points[Math.floor(at) + 1];
    const part = at % 1;
    e.setAttribute("transform", `translate(${(x + (toX - x) * part).toFixed(1)} ${(y + (toY - y) * part).toFixed(1)})`);
    e.removeAttribute("visibility");
  }
  depart(now);
}

// sweep removes dots that have arrived. A browser that does not draw the page calls no step.
function sweep(now) {
  for (const dot of dots) {
    if ((now - dot.begins) / tick < dot.way.points.length - 1) continue;
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
  waiting.clear();
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

export { dots, isFree, survey, tick }; // for a test
