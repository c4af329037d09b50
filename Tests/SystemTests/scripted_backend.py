"""A backend in the test's own process that answers each model with prepared bytes and remembers what it was sent."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedBackend:
    """A context manager. `replies` maps a model's name to its reply: a dict or bytes is a whole reply, a list the events of a
    stream, an int a status, a float the seconds to wait before an empty answer, a callable gets the request and returns any
    of these. A list that ends with None breaks off there instead of saying that it is done."""

    def __init__(self, replies: dict):
        self.replies = replies
        # (path, headers, body as bytes), oldest first.
        self.requests: list[tuple[str, dict, bytes]] = []
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer({"object": "list", "data": []})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                backend.requests.append((self.path, dict(self.headers), body))
                request = json.loads(body)
                reply = backend.replies[request["model"]]
                self.answer(reply(request) if callable(reply) else reply)

            def answer(self, reply):
                if isinstance(reply, float):
                    time.sleep(reply)
                    reply = 503
                if isinstance(reply, list):
                    return self.stream(reply)
                status = reply if isinstance(reply, int) else 200
                content = b"{}" if isinstance(reply, int) else reply
                content = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def stream(self, events):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for event in events:
                    if event is None:
                        break
                    text = event if isinstance(event, str) else json.dumps(event)
                    self.wfile.write(f"data: {text}\n\n".encode())
                    self.wfile.flush()
                else:
                    self.wfile.write(b"data: [DONE]\n\n")
                self.close_connection = True

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A client that left is no news."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self) -> "ScriptedBackend":
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()

    def models(self) -> tuple:
        """Members of the configuration's `models`: each public name differs from the backend's."""
        return tuple(
            {"name": f"public/{name}", "endpoints": [{"url": self.url, "api_key": "backend-key-0123456789", "model": name}]}
            for name in self.replies
        )

    def last(self) -> dict:
        return json.loads(self.requests[-1][2])
