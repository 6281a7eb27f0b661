// A button with data-copy copies the text of the element with that id. Without this file the text can be selected.
for (const button of document.querySelectorAll("[data-copy]")) {
  const text = document.getElementById(button.dataset.copy)?.textContent;
  if (!navigator.clipboard || !text) continue; // there is no clipboard on a page that came over plain HTTP from another machine
  button.hidden = false;
  const label = button.innerHTML;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.innerHTML = label; }, 2000);
  });
}
