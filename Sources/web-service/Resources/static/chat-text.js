// The text of one answer, growing. What can no longer change is rendered once and left alone; only the rest is rendered
// again, at most once per frame and never so often that rendering is most of the work.
import { loadGrammars, render } from "./chat-markdown.js";
import { copy } from "./site.js";

export class AnswerText {
  #element;
  #source = "";
  #settled = 0;
  #scanned = 0;
  #fence = "";
  #formula = "";
  #tail = null;
  #scheduled = false;
  #isFinished = false;
  #pause = 0;
  #last = 0;
  #afterRender;

  /** `afterRender` is called when the height may have changed. */
  constructor(element, afterRender) {
    this.#element = element;
    this.#afterRender = afterRender;
  }

  get source() { return this.#source; }

  add(text) {
    this.#source += text;
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = Math.max(0, this.#last + this.#pause - performance.now());
    if (wait > 4) setTimeout(() => requestAnimationFrame(() => this.#renderMore()), wait);
    else requestAnimationFrame(() => this.#renderMore());
  }

  /** Renders the whole once more, as one document, with all grammars that it needs. */
  async finish() {
    await loadGrammars(this.#source);
    this.#isFinished = true;
    this.#element.replaceChildren();
    this.#show(this.#source);
    this.#afterRender();
  }

  #renderMore() {
    // A frame that was asked for before the end may come after it.
    if (this.#isFinished) return;
    const begun = performance.now();
    const border = this.#findBorder();
    if (border > this.#settled) {
      this.#tail?.remove();
      this.#show(this.#source.slice(this.#settled, border));
      this.#settled = border;
      this.#tail = null;
    }
    this.#tail?.remove();
    this.#tail = this.#show(this.#source.slice(this.#settled));
    this.#afterRender();
    this.#last = performance.now();
    this.#pause = 3 * (this.#last - begun);
    this.#scheduled = false;
  }

  /** Where the last block begins that may still change: after an empty line outside of code and formulas, at a line that
      does not go on with a list, a quotation or a table. */
  #findBorder() {
    let border = this.#settled;
    let isAfterEmptyLine = false;
    let position = this.#scanned;
    for (;;) {
      const end = this.#source.indexOf("\n", position);
      if (end < 0) break;
      const line = this.#source.slice(position, end);
      if (isAfterEmptyLine && !this.#fence && !this.#formula && /^[^\s>|*+\-\d]/.test(line)) {
        border = position;
        this.#scanned = position;
      }
      // An unfinished block is scanned again from its beginning, so that this state is right there.
      isAfterEmptyLine = line.trim() === "";
      this.#trackLine(line);
      position = end + 1;
    }
    this.#fence = "";
    this.#formula = "";
    return border;
  }

  #trackLine(line) {
    if (this.#formula) {
      if (line.includes(this.#formula)) this.#formula = "";
      return;
    }
    const mark = line.match(/^ {0,3}(`{3,}|~{3,})/)?.[1];
    if (mark && !this.#fence) this.#fence = mark;
    else if (mark && mark[0] === this.#fence[0] && mark.length >= this.#fence.length) this.#fence = "";
    if (this.#fence) return;
    const opened = line.match(/^ {0,3}(\$\$|\\\[)/)?.[1];
    const closing = opened === "$$" ? "$$" : "\\]";
    if (opened && !line.slice(line.indexOf(opened) + 2).includes(closing)) this.#formula = closing;
  }

  #show(markdown) {
    const block = document.createElement("div");
    const nodes = render(markdown);
    if (nodes) block.append(nodes);
    else block.textContent = markdown;
    this.#element.classList.toggle("plain", !nodes);
    for (const pre of block.querySelectorAll("pre")) dress(pre);
    this.#element.append(block);
    return block;
  }
}

/** Gives a block of code its head: the language and a button. */
function dress(pre) {
  pre.tabIndex = 0;
  const frame = document.createElement("div");
  frame.className = "code";
  const head = document.createElement("div");
  head.className = "code-head";
  const name = document.createElement("span");
  name.textContent = pre.dataset.language || "code";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(pre.textContent, button));
  head.append(name, button);
  pre.replaceWith(frame);
  frame.append(pre, head);
}
