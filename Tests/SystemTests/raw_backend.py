"""A backend on a raw socket, which behaves as badly as a test wants: below HTTP, byte by byte."""

import json
import random
import socket
import socketserver
import threading

DONE = "[DONE]"


def event(text: str = "", finish: str | None = None) -> str:
    """One event of a chat completion, as a backend writes it."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return json.dumps({"id": "1", "object": "chat.completion.chunk", "model": "remote", "choices": [choice]})


def sse(*events: str) -> bytes:
    return b"".join(b"data: " + one.encode() + b"\n\n" for one in events)


def chunked(data: bytes, trailers: bytes = b"") -> bytes:
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(data), data, trailers)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = sse(event("Hello"), event(" world"), event(finish="stop"), DONE)


class RawBackend:
    """Answers `GET …/models` with an empty list, and everything else with `script(connection, number)`, where `number`
    counts the requests from 0. A true result keeps the connection open for the next request. A context manager.

    - models: in place of the empty list.
    """

    def __init__(self, script, models=None, host: str = "127.0.0.1", port: int = 0):
        self.script = script
        self.models = models or list_models
        self.requests = 0
        self.connections = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                outer.serve(self.request)

        self.server = Server((host, port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://{host}:{self.port}/v1"

    def __enter__(self) -> "RawBackend":
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """Dies with all its connections; not before it was entered."""
        self.server.shutdown()
        self.server.server_close()
        self.server.close_all()

    def serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.connections += 1
        try:
            while request := read_request(connection):
                if request.startswith(b"GET "):
                    keep = self.models(connection)
                else:
                    with self.lock:
                        number = self.requests
                        self.requests += 1
                    keep = self.script(connection, number)
                if not keep:
                    return
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, *arguments):
        self.open = set()
        super().__init__(*arguments)

    def process_request(self, request, address):
        self.open.add(request)
        super().process_request(request, address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def close_all(self) -> None:
        for request in list(self.open):
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def read_request(connection: socket.socket) -> bytes:
    """The whole of the next request; empty at the connection's end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            return b""
        body += piece
    return head


def list_models(connection: socket.socket) -> bool:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"data":[]}')
    return True


def good(connection: socket.socket, _: int = 0) -> bool:
    connection.sendall(CHUNKED + chunked(GOOD))
    return True


def hang(connection: socket.socket, _: int = 0) -> bool:
    """Until the client leaves."""
    connection.recv(1)
    return False


def fail_at_random(connection: socket.socket, number: int) -> bool:
    if random.random() < 0.5:
        return good(connection, number)
    connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}")
    return True
