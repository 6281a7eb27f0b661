// The page can be read without this file. With it, a person can copy the commands and send requests.

for (const span of document.querySelectorAll("[data-origin]")) span.textContent = location.origin;

// A link to a route or a schema opens it.
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const closed = target && target.closest("details:not([open])");
  if (!closed) return;
  closed.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue; // there is no clipboard on a page that came over plain HTTP from another machine
  button.hidden = false;
  const label = button.innerHTML;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.innerHTML = label; }, 2000);
  });
}

const secret = document.querySelector("#secret");
if (secret) secret.hidden = false;

const tokens = new Map(); // by person; each with the time at which it is renewed

async function tokenOf(who) {
  const known = tokens.get(who);
  if (known && Date.now() < known.renew) return known.token;
  const form = { grant_type: "client_credentials", client_id: who, client_secret: secret.querySelector("input").value };
  const answer = await fetch("/oauth/token", { method: "POST", body: new URLSearchParams(form), credentials: "omit" });
  const grant = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(`There is no token for ${who}: ${grant.error_description ?? answer.status}`);
  tokens.set(who, { token: grant.access_token, renew: Date.now() + grant.expires_in * 500 });
  return grant.access_token;
}

// request is what a form asks for.
async function request(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const input of form.querySelectorAll("[data-in]")) {
    const value = input.value.trim();
    if (value === "" && !input.required) continue;
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(value));
    if (input.dataset.in === "query") for (const one of "many" in input.dataset ? value.split(/[\s,]+/) : [value]) query.append(input.name, one);
    if (input.dataset.in === "header") headers[input.name] = value;
  }
  if (query.size) path += `?${query}`;
  const { who, token, accept, body } = form.elements;
  if (accept) headers.Accept = accept.value;
  if (token) {
    const bearer = !who || who.value === "token" ? token.value.trim() : who.value && await tokenOf(who.value);
    if (bearer) headers.Authorization = `Bearer ${bearer}`;
  }
  const options = { method: form.dataset.method, headers, credentials: "omit", cache: "no-store" };
  if (body?.value.trim()) {
    options.body = body.value;
    headers["Content-Type"] = form.dataset.media;
  }
  return [path, options];
}

const shownMost = 256 * 1024; // characters of a body

// show writes an answer as it arrives: a stream has no end.
async function show(answer, write) {
  const media = (answer.headers.get("Content-Type") ?? "").split(";")[0];
  if (media && !/json|^text\/|yaml|xml/.test(media)) return write(`${(await answer.blob()).size} bytes of ${media}`);
  if (media.endsWith("json")) {
    const text = await answer.text();
    try {
      return write(JSON.stringify(JSON.parse(text), null, 2).slice(0, shownMost));
    } catch {
      return write(text.slice(0, shownMost));
    }
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; text.length < shownMost;) {
    const { done, value } = await reader.read();
    if (done) return;
    write((text += value).slice(0, shownMost));
  }
  return reader.cancel();
}

function block(parent, text) {
  const pre = document.createElement("pre");
  pre.textContent = text;
  pre.tabIndex = 0; // it can be scrolled by keys
  parent.append(pre);
  return pre;
}

async function send(form) {
  const result = form.querySelector(".result");
  const [line, rest] = result.children;
  const button = form.querySelector(".button");
  const stop = form.querySelector(".stop");
  const left = new AbortController();
  stop.onclick = () => left.abort();
  button.disabled = true;
  stop.hidden = result.hidden = false;
  line.textContent = "";
  rest.replaceChildren();
  try {
    const [path, options] = await request(form);
    block(rest, `${options.method} ${path}`);
    const began = performance.now();
    const answer = await fetch(path, { ...options, signal: left.signal });
    line.textContent = `${answer.status} ${answer.statusText}, after ${Math.round(performance.now() - began)} ms`;
    block(rest, [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n"));
    const body = block(rest, "");
    await show(answer, (text) => { body.textContent = text; });
    if (!body.textContent) body.remove();
  } catch (error) {
    line.textContent = left.signal.aborted ? `${line.textContent} Stopped.`.trim() : error.message;
  }
  button.disabled = false;
  stop.hidden = true;
  const key = form.querySelector('[name="Idempotency-Key"]');
  if (key && key.dataset.own === undefined) key.value = newKey();
}

// newKey is a key that was not used before. randomUUID is missing on a page that came over plain HTTP from another machine.
function newKey() {
  return `try-${Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-")}`;
}

for (const form of document.querySelectorAll(".try")) {
  form.hidden = false;
  const { who, token, example, body } = form.elements;
  who?.addEventListener("change", () => { token.closest("label").hidden = who.value !== "token"; });
  example?.addEventListener("change", () => {
    body.value = form.closest(".about").querySelectorAll(".body pre")[example.value].textContent;
  });
  const key = form.querySelector('[name="Idempotency-Key"]');
  if (key) {
    key.value = newKey();
    key.addEventListener("input", () => { key.dataset.own = ""; }); // a person who writes a key means to use it again
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
