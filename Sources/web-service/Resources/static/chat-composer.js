// Where a message is written: the draft, the model, the balance, Send and Stop.
import * as api from "./chat-api.js";

export class Composer {
  #form = document.getElementById("composer");
  #message = document.getElementById("message");
  #send = document.getElementById("send");
  #stop = document.getElementById("stop");
  #model = document.getElementById("model");
  #balance = document.getElementById("balance");
  #account = null;
  #conversation = null;
  #wantedModel = null;
  #isSending = false;
  #isAnswering = false;

  /** `on` has send(text, model), which resolves once the server has the message, and stop(). */
  constructor(on) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(on.send);
    });
    this.#message.addEventListener("keydown", (event) => {
      // While a character is being composed, Enter only ends that.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!event.repeat) this.#submit(on.send);
    });
    this.#message.addEventListener("input", () => {
      this.#keepDraft();
      this.#fit();
    });
    this.#stop.addEventListener("click", async () => {
      this.#leave(this.#stop);
      this.#stop.disabled = true;
      await on.stop();
      this.#stop.disabled = false;
    });
    this.#model.addEventListener("change", () => {
      this.#wantedModel = this.#model.value;
      localStorage.setItem("model", this.#model.value);
      this.#showBalance();
    });
  }

  /** Shows the draft of a conversation (null: a new one) and selects its model. */
  open(conversation, model) {
    this.#conversation = conversation;
    this.#message.value = localStorage.getItem(this.#draftKey) ?? "";
    this.#fit();
    if (model) this.selectModel(model);
  }

  /** The new conversation has got its id; what is being typed is a draft of it from now on. */
  adopt(conversation) { this.#conversation = conversation; }

  selectModel(model) {
    this.#wantedModel = model;
    this.#showModels();
  }

  write(text) {
    this.#message.value = text;
    this.#keepDraft();
    this.#fit();
    this.focus();
  }

  focus() { this.#message.focus(); }

  set isAnswering(value) {
    this.#isAnswering = value;
    this.#update();
  }

  /** Fetches models and balances. */
  async refresh() {
    try {
      this.#account = await api.account();
    } catch (error) {
      this.#balance.textContent = error.message;
      return;
    }
    this.#showModels();
  }

  async #submit(send) {
    const text = this.#message.value;
    if (this.#isSending || this.#isAnswering || !text.trim() || !this.#model.value) return;
    this.#isSending = true;
    this.#leave(this.#send);
    this.#update();
    const draft = this.#draftKey;
    if (await send(text, this.#model.value)) {
      localStorage.removeItem(draft);
      if (this.#message.value === text) this.#message.value = "";
      this.#keepDraft();
      this.#fit();
    }
    this.#isSending = false;
    this.#update();
  }

  #update() {
    this.#send.disabled = this.#isSending || !this.#model.value;
    this.#send.hidden = this.#isAnswering;
    this.#stop.hidden = !this.#isAnswering;
  }

  /** A button that goes away must not take the focus with it: by keyboard, one would be at the top of the page again. */
  #leave(button) {
    if (button.matches(":focus-visible")) this.focus();
  }

  get #draftKey() { return "draft:" + (this.#conversation ?? "new"); }

  #keepDraft() {
    if (this.#message.value) localStorage.setItem(this.#draftKey, this.#message.value);
    else localStorage.removeItem(this.#draftKey);
  }

  #fit() {
    this.#message.style.height = "auto";
    this.#message.style.height = this.#message.scrollHeight + 2 + "px";
  }

  #showModels() {
    if (!this.#account) return;
    const wanted = this.#wantedModel ?? localStorage.getItem("model");
    const options = this.#account.models.map((model) => {
      const label = model.name + (model.isHealthy ? "" : " (not working)");
      return new Option(label, model.name, false, model.name === wanted);
    });
    this.#model.replaceChildren(...options);
    this.#model.disabled = options.length === 0;
    this.#showBalance();
    this.#update();
  }

  #showBalance() {
    const { isAvailable, models, pools } = this.#account;
    if (!isAvailable) {
      this.#balance.textContent = "Balances are not available at the moment.";
      return;
    }
    if (models.length === 0) {
      this.#balance.textContent = "You have no budget for any model.";
      return;
    }
    const name = models.find((model) => model.name === this.#model.value)?.pool;
    const pool = pools.find((pool) => pool.name === name);
    if (!pool) this.#balance.textContent = "";
    else if (pool.isUnlimited) this.#balance.textContent = "No token limit";
    else this.#balance.textContent = `${pool.balance} of ${pool.max} tokens left, refill: ${pool.refill}`;
  }
}
