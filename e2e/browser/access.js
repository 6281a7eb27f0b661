// What a page must have so that everybody can use it, as far as a program can tell: WCAG 2.2 AA in small.
(() => {
  const wrong = [];
  const visible = (e) => e.checkVisibility() && !e.closest(".hidden, .skip");
  const name = (e) => (e.getAttribute("aria-label") ?? "") + (e.labels ? [...e.labels].map((l) => l.textContent).join(" ") : "") + e.textContent;
  const tell = (e, what) => wrong.push(`${what}: ${e.outerHTML.slice(0, 120)}`);

  if (!document.documentElement.lang) wrong.push("the page does not say its language");
  if (!document.title.trim()) wrong.push("the page has no title");
  if (document.querySelectorAll("main").length !== 1) wrong.push("there is not exactly one main");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("there is not exactly one h1");
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is wider than the window: ${document.documentElement.scrollWidth} px`);

  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
    const now = Number(h.tagName[1]);
    if (now > level + 1) tell(h, "a level of headings is left out");
    level = now;
  }
  for (const e of document.querySelectorAll("img:not([alt])")) tell(e, "an image without alt");
  for (const e of document.querySelectorAll("input:not([type=hidden]), button, a[href], summary")) if (!name(e).trim()) tell(e, "something to use without a name");
  for (const e of document.querySelectorAll("th:not([scope])")) tell(e, "a heading of a table without scope");
  for (const e of document.querySelectorAll("[onclick], [style], script:not([src]), style")) tell(e, "something inline");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`two elements have the id ${id}`);
  for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
    const to = e.getAttribute("aria-describedby") ?? e.getAttribute("aria-labelledby");
    if (to.split(" ").some((id) => !document.getElementById(id))) tell(e, "a description that is not there");
  }
  for (const e of document.querySelectorAll("main button, main input:not([type=hidden], [type=radio], [type=checkbox])")) {
    const { width, height } = e.getBoundingClientRect();
    if (visible(e) && (width < 24 || height < 24)) tell(e, `too small to hit, ${width} by ${height} px`);
  }

  // Contrast of every text that stands by itself in its element.
  const parse = (c) => { const [r, g, b, a = 1] = c.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.a > 0) return c;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const seen = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (!visible(e) || ![...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim())) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(style.color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const key = `${style.color} on ${JSON.stringify(ground(e))}`;
    if (ratio < (large ? 3 : 4.5) && !seen.has(key)) tell(e, `contrast of ${ratio.toFixed(2)}, ${key}`);
    seen.add(key);
  }
  return wrong;
})()
