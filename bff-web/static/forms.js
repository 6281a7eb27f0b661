// A form that is being sent shows it, and is not sent a second time. Its buttons work again when the page comes back from the
// cache of the back button, and after a while, in case the visitor has stopped a slow request.
const timeout = 15_000; // ms; longer than the gateway waits

function busy(form, button) {
  form.dataset.busy = "";
  const others = [...form.querySelectorAll("button")].filter((b) => !b.disabled);
  const text = button?.innerHTML;
  setTimeout(() => { // after the form data is complete: a disabled button does not send its value
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
  setTimeout(ready, timeout);
  addEventListener("pageshow", ready, { once: true });
}

addEventListener("submit", (sent) => {
  if ("busy" in sent.target.dataset) sent.preventDefault();
  else if (!sent.defaultPrevented && sent.target.method === "post") busy(sent.target, sent.submitter);
});

// A notice is not shown again when the page comes from the cache of the back button.
addEventListener("pageshow", (shown) => shown.persisted && document.querySelector(".told")?.remove());
