// The line is one stream for all pages of a browser. It is a SharedWorker, because a browser has only six connections to a host,
// and a page that waits for one shows nothing. Each page regularly tells the line which order it shows. The line tells the page
// its state, and when to load new data.

const most = 50; // orders in one stream; pages with other orders get no line
const forgotten = 60_000; // ms after which a page that sends nothing is forgotten: it was closed, or is asleep
const seen = new Map(); // by order: seq of the last entry that was received
const pages = new Map(); // by port: what the page shows, { order, seq, heard }

let stream = null;
let following = new Set(); // the orders in the stream
let line = "connecting"; // or "live", or "lost"
let heard = 0; // time of the last event
let every = 10; // seconds between two heartbeats
let wait = 1; // seconds until the next attempt to connect
let next = 0; // timer of the next attempt; 0: none

onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    const { order, seq, awake } = data;
    if (order) pages.set(port, { order, seq, heard: Date.now() });
    else pages.delete(port);
    if (awake && (line === "lost" || silent(1.5))) {
      wait = 1;
      connect(); // at once: a visitor is looking at the page
    } else arrange();
    if (!order) return;
    port.postMessage({ line: following.has(order) ? line : "connecting", look: seen.get(order) > seq });
  };
};

setInterval(() => {
  for (const [port, page] of pages) if (Date.now() - page.heard > forgotten) pages.delete(port);
  arrange();
  if (stream && silent(2.5)) lose(); // two heartbeats are missing: the computer was asleep, the network has changed, or a proxy has dropped the connection
}, 2000);

const silent = (beats) => Date.now() - heard > beats * every * 1000;

const wanted = () => [...new Set([...pages.values()].map((p) => p.order))].slice(0, most);

// arrange connects if a shown order is not in the stream. An order that is no longer shown is left out at the next connection.
function arrange() {
  const orders = wanted();
  if (orders.length === 0) hangUp("connecting");
  else if (next === 0 && !(stream && orders.every((o) => following.has(o)))) next = setTimeout(connect, 50); // wait, since several pages often open together
}

function hangUp(why) {
  clearTimeout(next);
  next = 0;
  stream?.close();
  stream = null;
  line = why;
}

function connect() {
  hangUp(line);
  const orders = wanted();
  if (orders.length === 0) return;
  for (const { order, seq } of pages.values()) seen.set(order, Math.max(seq, seen.get(order) ?? 0));
  following = new Set(orders);
  heard = Date.now();
  stream = new EventSource("/live?" + orders.map((o) => `order=${encodeURIComponent(o)}.${seen.get(o)}`).join("&"));
  stream.addEventListener("beat", ({ data }) => {
    every = Number(data) || every;
    alive();
  });
  stream.onmessage = ({ data }) => {
    const { order_id: order, seq } = JSON.parse(data);
    seen.set(order, seq);
    alive();
    look(order);
  };
  const anew = ({ data }) => {
    const { order_id: order } = JSON.parse(data);
    seen.set(order, 0);
    look(order);
  };
  stream.addEventListener("reset", anew);
  stream.addEventListener("refused", anew);
  stream.addEventListener("end", () => hangUp("connecting")); // all orders are final: the pages load them, and stop asking
  stream.onerror = lose;
}

function alive() {
  heard = Date.now();
  wait = 1;
  if (line === "live") return;
  line = "live";
  for (const [port, { order }] of pages) if (following.has(order)) port.postMessage({ line });
}

function lose() {
  hangUp("lost");
  for (const port of pages.keys()) port.postMessage({ line });
  next = setTimeout(connect, wait * (500 + Math.random() * 1000)); // not all browsers at the same time
  wait = Math.min(2 * wait, 15);
}

function look(order) {
  for (const [port, page] of pages) if (page.order === order) port.postMessage({ line, look: true });
}
