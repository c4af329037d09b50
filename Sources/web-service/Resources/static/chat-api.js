// The JSON behind the chat. Every function throws an Error whose message may be shown.

// Once the reader goes elsewhere, above all when logging out, an answer that comes late must not send the page to the
// login, which would log in again.
let isLeaving = false;
addEventListener("submit", (event) => {
  if (!event.defaultPrevented) isLeaving = true;
});
addEventListener("pagehide", () => (isLeaving = true));
addEventListener("pageshow", () => (isLeaving = false));

async function request(method, path, body) {
  let response;
  try {
    response = await fetch("/chat/api/" + path, {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new Error("The site cannot be reached. Check your connection and try again.");
  }
  if (response.status === 401) {
    if (!isLeaving) location.assign("/login?next=" + encodeURIComponent(location.pathname));
    throw new Error("Your session has ended. Please log in again.");
  }
  const content = await response.json().catch(() => null);
  if (!response.ok || content === null) throw new Error(content?.problem ?? `The site answered ${response.status}.`);
  return content;
}

const part = encodeURIComponent;

export const account = () => request("GET", "account");
export const conversations = (search, before) =>
  request("GET", `conversations?search=${part(search)}${before ? "&before=" + part(before) : ""}`);
export const conversation = (id, before) =>
  request("GET", `conversations/${part(id)}${before ? "?before=" + before : ""}`);
export const ask = (id, text, model) =>
  request("POST", id ? `conversations/${part(id)}/messages` : "conversations", { text, model });
export const rename = (id, title) => request("PATCH", `conversations/${part(id)}`, { title });
export const remove = (id) => request("DELETE", `conversations/${part(id)}`);
export const stop = (answer) => request("POST", `answers/${part(answer)}/stop`);

/**
 * Follows an answer from a cursor on. The browser reconnects by itself and goes on where it was.
 * `on` has text(text, reasoning), end(facts) and lost(): the stream cannot be had any more. Returns a function that leaves.
 */
export function follow(answer, cursor, on) {
  const source = new EventSource(`/chat/api/answers/${part(answer)}/events?after=${part(cursor)}`);
  source.addEventListener("message", (event) => {
    const { text, reasoning } = JSON.parse(event.data);
    on.text(text, reasoning);
  });
  source.addEventListener("end", (event) => {
    source.close();
    on.end(JSON.parse(event.data));
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) on.lost();
  });
  return () => source.close();
}
