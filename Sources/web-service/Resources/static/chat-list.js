// The list of conversations: search, pages, rename, delete.
import * as api from "./chat-api.js";

const SEARCH_PAUSE_MS = 250;
const REFRESH_MS = 3000;

export class ConversationList {
  #list = document.getElementById("conversation-list");
  #note = document.getElementById("list-note");
  #more = document.getElementById("more");
  #search = document.getElementById("search");
  #next = null;
  #request = 0;
  #selected = null;
  #timer = 0;
  #answering = 0;
  #on;

  /** `on` has open(id), titled(title) for the selected one, answerEnded(), removed(id) and problem(message). */
  constructor(on) {
    this.#on = on;
    let pause = 0;
    this.#search.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(() => this.refresh(), SEARCH_PAUSE_MS);
    });
    this.#more.addEventListener("click", () => this.#load(this.#next));
    this.#list.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      on.open(link.dataset.id);
    });
  }

  select(id) {
    this.#selected = id;
    for (const link of this.#list.querySelectorAll("a")) this.#mark(link);
  }

  refresh() { return this.#load(null); }

  async #load(before) {
    const request = ++this.#request;
    clearTimeout(this.#timer);
    let page;
    try {
      page = await api.conversations(this.#search.value.trim(), before);
    } catch (error) {
      if (request === this.#request) this.#note.textContent = error.message;
      return;
    }
    // An older search must not overwrite the list of a newer one.
    if (request !== this.#request) return;
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    if (!before) this.#list.replaceChildren();
    this.#list.append(...page.conversations.map((conversation) => this.#item(conversation)));
    if (focused) this.#list.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
    this.#next = page.next ?? null;
    this.#more.hidden = !this.#next;
    const isEmpty = this.#list.children.length === 0;
    this.#note.textContent = isEmpty ? (this.#search.value ? "Nothing found." : "No conversations yet.") : "";
    const selected = page.conversations.find((conversation) => conversation.id === this.#selected);
    if (selected) this.#on.titled(selected.title);
    if (!before) this.#watch(page.conversations.filter((conversation) => conversation.isAnswering).length);
  }

  /** Answers of other conversations end without telling this page. */
  #watch(answering) {
    if (answering < this.#answering) this.#on.answerEnded();
    this.#answering = answering;
    if (answering > 0) this.#timer = setTimeout(() => this.refresh(), REFRESH_MS);
  }

  #item(conversation) {
    const item = document.createElement("li");
    item.classList.toggle("answering", conversation.isAnswering);
    const link = document.createElement("a");
    link.href = "/chat/" + conversation.id;
    link.dataset.id = conversation.id;
    link.dataset.focus = "open-" + conversation.id;
    link.textContent = conversation.title;
    this.#mark(link);
    const tools = document.createElement("span");
    tools.className = "tools";
    tools.append(
      this.#tool("Rename", conversation, () => this.#rename(conversation)),
      this.#tool("Delete", conversation, () => this.#remove(conversation)),
    );
    item.append(link, tools);
    return item;
  }

  #mark(link) {
    if (link.dataset.id === this.#selected) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }

  #tool(label, conversation, action) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = label;
    button.dataset.focus = `${label}-${conversation.id}`;
    button.setAttribute("aria-label", `${label} “${conversation.title}”`);
    button.addEventListener("click", action);
    return button;
  }

  async #rename(conversation) {
    const input = document.getElementById("new-title");
    input.value = conversation.title;
    if (!(await agreed("rename-dialog"))) return;
    await this.#try(() => api.rename(conversation.id, input.value));
  }

  async #remove(conversation) {
    document.getElementById("delete-name").textContent = conversation.title;
    if (!(await agreed("delete-dialog"))) return;
    await this.#try(async () => {
      await api.remove(conversation.id);
      this.#on.removed(conversation.id);
    });
  }

  async #try(action) {
    try {
      await action();
    } catch (error) {
      this.#on.problem(error.message);
    }
    await this.refresh();
  }
}

/** Shows a dialog; whether it was left with its OK button. */
function agreed(id) {
  const dialog = document.getElementById(id);
  dialog.returnValue = "";
  // Not a submit button: Enter in a field would press it.
  dialog.querySelector("button[type=button]").onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
  });
}
