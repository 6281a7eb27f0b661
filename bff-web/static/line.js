// The line: one stream for all pages of a browser. It is a SharedWorker, since a browser has six connections for a host,
// and a page that has to wait for one shows nothing. A page says what it shows, again and again, and gets told how the
// line is, and when to look.

const most = 50; // orders in one stream: the others are told that there is no line
const forgotten = 60_000; // of a page that has said nothing: it is gone without a word, or asleep
const seen = new Map(); // of each order the entry that was told last
const pages = new Map(); // what is shown, by port: { order, seq, heard }

let stream = null;
let following = new Set(); // the orders in it
let line = "connecting"; // or live, or lost
let heard = 0; // when something came
let every = 10; // seconds between two heartbeats
let wait = 1; // seconds before the next try
let next = 0; // the timer of it

onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    const { order, seq, awake } = data;
    if (order) pages.set(port, { order, seq, heard: Date.now() });
    else pages.delete(port);
    if (awake && (line === "lost" || silent(1.5))) {
      wait = 1;
      connect(); // who looks does not wait
    } else arrange();
    if (!order) return;
    port.postMessage({ line: following.has(order) ? line : "connecting", look: seen.get(order) > seq });
  };
};

setInterval(() => {
  for (const [port, page] of pages) if (Date.now() - page.heard > forgotten) pages.delete(port);
  arrange();
  if (stream && silent(2.5)) lose(); // two heartbeats did not come: asleep, another network, or a proxy that has forgotten us
}, 2000);

const silent = (beats) => Date.now() - heard > beats * every * 1000;

const wanted = () => [...new Set([...pages.values()].map((p) => p.order))].slice(0, most);

// arrange sees to it that what is shown is followed. An order that nobody looks at any more is left out the next time.
function arrange() {
  const orders = wanted();
  if (orders.length === 0) hangUp("connecting");
  else if (next === 0 && !(stream && orders.every((o) => following.has(o)))) next = setTimeout(connect, 50); // pages come together
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
  stream.addEventListener("end", () => hangUp("connecting")); // the pages look, and want nothing any more
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
  next = setTimeout(connect, wait * (500 + Math.random() * 1000)); // not all browsers at once
  wait = Math.min(2 * wait, 15);
}

function look(order) {
  for (const [port, page] of pages) if (page.order === order) port.postMessage({ line, look: true });
}
