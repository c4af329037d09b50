// The conversation that is open. Each one opened is an object of its own: what arrives for a conversation that was left
// meanwhile reaches nothing. Its answer goes on in the server, and is there when it is opened again.
import * as api from "./chat-api.js";
import { Answer, questionElement } from "./chat-message.js";

const RETRY_MS = 2000;

export class Thread {
  id;
  #element;
  #on;
  #leave = null;
  #isLeft = false;
  #answer = null;
  #newest = 0;

  /** `on` has changed(thread), answerEnded(facts, text), problem(message) and askAgain(text). */
  constructor(id, element, on) {
    this.id = id;
    this.#element = element;
    this.#on = on;
    element.replaceChildren();
  }

  get answering() { return this.#answer?.id ?? null; }

  /** Fetches and shows the last messages. Returns the conversation, or null if it was left meanwhile. */
  async open() {
    const view = await api.conversation(this.id);
    if (this.#isLeft) return null;
    this.#showLast(view);
    return view.conversation;
  }

  /** Shows what was asked here in another tab meanwhile. */
  async catchUp() {
    if (!this.id || this.#answer) return;
    const view = await api.conversation(this.id);
    const isNews = view.messages.at(-1)?.id > this.#newest;
    if (isNews && !this.#isLeft && !this.#answer) this.#showLast(view);
  }

  /** Shows a new turn and follows its answer. */
  begin(turn) {
    this.id = turn.conversation;
    this.#element.querySelector(".empty")?.remove();
    this.#show([turn.question, turn.answer]);
    this.#scrollToEnd();
  }

  leave() {
    this.#isLeft = true;
    this.#leave?.();
  }

  async stop() {
    if (this.#answer) await api.stop(this.#answer.id);
  }

  #showLast(view) {
    this.#element.replaceChildren();
    this.#show(view.messages);
    this.#offerEarlier(view);
    this.#scrollToEnd();
  }

  #show(messages) {
    this.#newest = messages.at(-1)?.id ?? 0;
    this.#element.append(...this.#elements(messages));
  }

  #elements(messages) {
    let question = "";
    return messages.map((message) => {
      if (message.role === "user") {
        question = message.text;
        return questionElement(message);
      }
      const asked = question;
      const answer = new Answer(message, {
        afterRender: () => this.#keepAtEnd(),
        onAskAgain: () => this.#on.askAgain(asked),
      });
      if (message.answer.state === "running") this.#follow(answer, message.answer.cursor);
      return answer.element;
    });
  }

  #follow(answer, cursor) {
    this.#answer = answer;
    this.#on.changed(this);
    this.#leave = api.follow(answer.id, cursor, {
      text: (text, reasoning) => answer.add(text, reasoning),
      end: (facts) => this.#end(answer, facts),
      lost: () => setTimeout(() => this.#reopen(), RETRY_MS),
    });
  }

  async #end(answer, facts) {
    this.#answer = null;
    await answer.end(facts);
    if (this.#isLeft) return;
    this.#on.changed(this);
    this.#on.answerEnded(facts, answer.source);
  }

  async #reopen() {
    if (this.#isLeft) return;
    this.#answer = null;
    try {
      await this.open();
      this.#on.changed(this);
    } catch (error) {
      this.#on.problem(error.message);
      setTimeout(() => this.#reopen(), RETRY_MS);
    }
  }

  #offerEarlier(view) {
    if (!view.hasEarlier) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = "Earlier messages";
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const earlier = await api.conversation(this.id, view.messages[0].id);
        const height = this.#element.scrollHeight;
        button.replaceWith(...this.#elements(earlier.messages));
        this.#offerEarlier(earlier);
        this.#element.scrollTop += this.#element.scrollHeight - height;
      } catch (error) {
        button.disabled = false;
        this.#on.problem(error.message);
      }
    });
    this.#element.prepend(button);
  }

  #wasAtEnd = true;

  /** Follows the growing text, unless the reader has scrolled away from its end. */
  #keepAtEnd() {
    if (!this.#isLeft && this.#wasAtEnd) this.#scrollToEnd();
  }

  #scrollToEnd() {
    this.#wasAtEnd = true;
    this.#element.scrollTop = this.#element.scrollHeight;
  }

  /** To be called when the reader scrolls. */
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#element;
    this.#wasAtEnd = scrollHeight - scrollTop - clientHeight < 60;
  }
}
