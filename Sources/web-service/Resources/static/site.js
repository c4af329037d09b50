// What every page does with script: local times, copying, asking before something final.

/** Shows `<time>` elements below a node in the reader's own time. */
export function showLocalTimes(node) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const element of node.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (!Number.isNaN(time.getTime())) element.textContent = format.format(time);
  }
}

/** Copies text, and says so on the button that was pressed. */
export async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Could not copy";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

/** Unsent messages are somebody's: they do not outlive the session. */
function forgetDrafts() {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith("draft:")) localStorage.removeItem(key);
  }
}

showLocalTimes(document);

// The page with a new key answers a POST: loading it again must show the keys, not make another one.
if (document.getElementById("secret")) history.replaceState(null, "");

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(document.getElementById(button.dataset.copy).textContent, button));
}

document.addEventListener("submit", (event) => {
  const { confirm: question, forgetDrafts: forgets } = event.target.dataset;
  if (question && !window.confirm(question)) event.preventDefault();
  else if (forgets !== undefined) forgetDrafts();
});
