// Live pages. Everything works without this file, by loading the page again: all it does is that, without a flicker.
// A page says with data-live where its stream is, or with data-every how many seconds it stays fresh; its elements with
// data-part are what a fresh copy replaces.

const reachable = "a, button, input, summary, [tabindex]";
let loading = null;

async function load() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`the page answers ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (answer.redirected) return fresh; // the session is over: what is shown stays, and ages
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = fresh.getElementById(part.id);
    if (!now || now.innerHTML === part.innerHTML) continue;
    const at = [...part.querySelectorAll(reachable)].indexOf(document.activeElement);
    const open = [...part.querySelectorAll("details")].map((d) => d.open);
    part.replaceChildren(...now.childNodes);
    part.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
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

// poll is for when there is no stream: until the page has nothing left that is live.
function poll(seconds) {
  setTimeout(async () => {
    try {
      const fresh = document.hidden ? document : await refresh();
      if (!fresh.querySelector("[data-live], [data-every]")) return;
    } catch { /* the next time, perhaps */ }
    poll(seconds);
  }, seconds * 1000);
}

function follow(address) {
  const stream = new EventSource(address);
  stream.onmessage = () => refresh().catch(() => {});
  stream.addEventListener("end", () => {
    stream.close();
    refresh().catch(() => poll(3));
  });
  // A stream that was cut off connects again by itself. One that was refused does not.
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) poll(3);
  };
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (shown) => shown.persisted && location.reload()); // from the back button's memory
}

const live = document.querySelector("[data-live]");
if (live) follow(live.dataset.live);

const every = document.querySelector("[data-every]");
if (every) poll(Number(every.dataset.every));
