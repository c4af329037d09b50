// The chat page: puts the list, the open conversation and the composer together, and keeps the address in step.
import * as api from "./chat-api.js";
import { Composer } from "./chat-composer.js";
import { ConversationList } from "./chat-list.js";
import { prepare } from "./chat-markdown.js";
import { Thread } from "./chat-thread.js";

const ANNOUNCED_CHARACTERS = 500;

const page = document.getElementById("chat");
const messages = document.getElementById("messages");
const problem = document.getElementById("problem");
const announcer = document.getElementById("announcer");
const drawer = document.getElementById("conversations");
const toggle = document.getElementById("toggle-list");
let thread = null;

function showProblem(message) {
  problem.textContent = message;
  problem.hidden = !message;
}

function showTitle(title) {
  document.title = document.title.replace(/^.* · /, () => title + " · ");
}

function newThread(id) {
  thread?.leave();
  thread = new Thread(id, messages, {
    changed: (changed) => { if (changed === thread) composer.isAnswering = changed.answering !== null; },
    answerEnded: (facts, text) => {
      announcer.textContent = facts.state === "completed"
        ? "Answer: " + text.slice(0, ANNOUNCED_CHARACTERS)
        : facts.problem ?? "The answer was ended early.";
      composer.refresh();
      list.refresh();
    },
    problem: showProblem,
    askAgain: (text) => composer.write(text),
  });
  composer.isAnswering = false;
  showProblem("");
  return thread;
}

/** Opens a conversation, or a new one for null. */
async function open(id) {
  const opened = newThread(id);
  list.select(id);
  composer.open(id, null);
  showDrawer(false);
  if (!id) {
    showTitle("Chat");
    const empty = document.createElement("p");
    empty.className = "empty";
    empty.textContent = "What do you want to know?";
    messages.append(empty);
    composer.focus();
    return;
  }
  try {
    const conversation = await opened.open();
    if (!conversation || opened !== thread) return;
    showTitle(conversation.title);
    composer.selectModel(conversation.model);
  } catch (error) {
    if (opened === thread) showProblem(error.message);
  }
}

function go(id) {
  history.pushState(null, "", id ? "/chat/" + id : "/chat");
  open(id);
}

/** Sends a message to the conversation that is open now, whatever is open when the reply comes. */
async function send(text, model) {
  const asked = thread;
  showProblem("");
  let turn;
  try {
    turn = await api.ask(asked.id, text, model);
  } catch (error) {
    showProblem(error.message);
    // Perhaps because another tab has asked here.
    catchUp(asked);
    return false;
  }
  list.refresh();
  if (asked !== thread) return true;
  if (!asked.id) {
    history.pushState(null, "", "/chat/" + turn.conversation);
    localStorage.removeItem("draft:new");
    composer.adopt(turn.conversation);
    list.select(turn.conversation);
  }
  announcer.textContent = "The message was sent.";
  asked.begin(turn);
  return true;
}

/** Fails silently: nobody has asked for it. */
function catchUp(which) { which?.catchUp().catch(() => {}); }

async function stop() {
  try {
    await thread?.stop();
  } catch (error) {
    showProblem(error.message);
  }
}

function showDrawer(isOpen) {
  drawer.classList.toggle("open", isOpen);
  toggle.setAttribute("aria-expanded", String(isOpen));
}

const composer = new Composer({ send, stop });
const list = new ConversationList({
  open: go,
  titled: showTitle,
  answerEnded: () => composer.refresh(),
  removed: (id) => { if (thread?.id === id) go(null); },
  problem: showProblem,
});

toggle.addEventListener("click", () => {
  showDrawer(!drawer.classList.contains("open"));
  if (drawer.classList.contains("open")) drawer.querySelector("a").focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !drawer.classList.contains("open") || document.querySelector("dialog[open]")) return;
  showDrawer(false);
  toggle.focus();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  composer.refresh();
  list.refresh();
  catchUp(thread);
});
messages.addEventListener("scroll", () => thread?.scrolled(), { passive: true });
document.getElementById("new-chat").addEventListener("click", (event) => {
  event.preventDefault();
  go(null);
});
window.addEventListener("popstate", () => open(location.pathname.split("/")[2] ?? null));

await prepare(page.dataset.vendor);
list.refresh();
composer.refresh();
open(page.dataset.conversation || null);
