// One message on the page: a question as it was typed, or an answer with its reasoning, text and facts.
import { AnswerText } from "./chat-text.js";
import { copy } from "./site.js";

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function button(label, action) {
  const element = make("button", "quiet", label);
  element.type = "button";
  element.addEventListener("click", () => action(element));
  return element;
}

export function questionElement(message) {
  const element = make("article", "message question");
  element.append(make("h2", "", "You"), make("div", "message-text", message.text));
  return element;
}

export class Answer {
  element = make("article", "message answer");
  #heading = make("h2");
  #reasoning = make("details", "reasoning");
  #reasoningText = make("div");
  #textElement = make("div", "message-text");
  #text;
  #waiting = make("p", "waiting", "Waiting for the model …");
  #foot = make("div", "foot");
  #onAskAgain;

  /** `onAskAgain` is called when the reader wants to send the question once more. */
  constructor(message, { afterRender, onAskAgain }) {
    this.id = message.answer.id;
    this.#onAskAgain = onAskAgain;
    this.#heading.textContent = message.answer.model;
    this.#reasoning.append(make("summary", "", "Reasoning"), this.#reasoningText);
    this.#reasoning.hidden = true;
    this.#text = new AnswerText(this.#textElement, afterRender);
    this.element.append(this.#heading, this.#reasoning, this.#textElement, this.#waiting, this.#foot);
    this.element.setAttribute("aria-busy", "true");
    this.add(message.text, message.answer.reasoning);
    if (message.answer.state !== "running") this.end(message.answer);
  }

  get source() { return this.#text.source; }

  add(text, reasoning) {
    if (reasoning) {
      this.#reasoning.hidden = false;
      this.#reasoningText.textContent += reasoning;
    }
    if (!text) return;
    this.#waiting.hidden = true;
    this.#text.add(text);
  }

  /** `facts` has state, and perhaps problem and bill. */
  end(facts) {
    this.#waiting.remove();
    this.element.removeAttribute("aria-busy");
    const done = this.#text.finish();
    const notes = { stopped: "Stopped.", interrupted: "Interrupted: the server was restarted.", failed: "Failed." };
    const note = facts.problem ?? notes[facts.state];
    this.#foot.replaceChildren();
    if (facts.state === "stopped") this.#foot.append(make("span", "", note));
    else if (note) this.#textElement.after(make("p", "notice bad", note));
    if (this.source) this.#foot.append(button("Copy", (pressed) => copy(this.source, pressed)));
    if (facts.state === "failed" || facts.state === "interrupted") {
      this.#foot.append(button("Ask again", () => this.#onAskAgain()));
    }
    if (facts.bill) this.#foot.append(make("span", "", describe(facts.bill)));
    return done;
  }
}

function describe(bill) {
  const parts = [`Tokens: ${bill.promptTokens} in, ${bill.completionTokens} out`];
  const writing = bill.durationMs - (bill.firstTokenMs ?? 0);
  if (bill.completionTokens > 1 && writing > 0) {
    const speed = bill.completionTokens * 1000 / writing;
    parts.push(`${speed.toFixed(speed < 100 ? 1 : 0)} tokens/s`);
  }
  if (bill.firstTokenMs !== undefined) parts.push(`first token after ${seconds(bill.firstTokenMs)}`);
  if (bill.cost > 0) parts.push(`$${(bill.cost / 1e9).toPrecision(2)}`);
  return parts.join(" · ");
}

const seconds = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);
