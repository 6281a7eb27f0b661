// Forms. One that is on its way says so and is not sent a second time. The buttons come back when the page does: from the back
// button's memory, or because the line was too slow for the reader, who has stopped it.
const patience = 15_000; // the gateway gives up before

function busy(form, button) {
  form.dataset.busy = "";
  const others = [...form.querySelectorAll("button")].filter((b) => !b.disabled);
  const text = button?.innerHTML;
  setTimeout(() => { // once the form is made up: a button that is disabled does not tell its value
    for (const b of others) b.disabled = true;
    button?.setAttribute("aria-busy", "true");
    if (button?.dataset.busy) button.textContent = button.dataset.busy;
  });
  const ready = () => {
    if (!("busy" in form.dataset)) return;
    delete form.dataset.busy;
    for (const b of others) b.disabled = false;
    button?.removeAttribute("aria-busy");
    if (button?.dataset.busy) button.innerHTML = text;
  };
  setTimeout(ready, patience);
  addEventListener("pageshow", ready, { once: true });
}

addEventListener("submit", (sent) => {
  if ("busy" in sent.target.dataset) sent.preventDefault();
  else if (!sent.defaultPrevented && sent.target.method === "post") busy(sent.target, sent.submitter);
});

// What was told of a form is not shown again when the page comes out of the back button's memory.
addEventListener("pageshow", (shown) => shown.persisted && document.querySelector(".told")?.remove());
