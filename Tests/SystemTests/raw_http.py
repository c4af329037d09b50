"""HTTP as a test wants it on the wire, where a client library would be too polite."""

import json
import socket


class Reply:
    """Status, headers (lower case) and body of a reply that ends with its connection, or after Content-Length."""

    def __init__(self, data: bytes):
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if lines[0] else 0
        pairs = [line.split(": ", 1) for line in lines[1:]]
        self.headers: dict[str, str] = {}
        for name, value in pairs:
            name = name.lower()
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    def json(self) -> dict:
        return json.loads(self.body)


def connect(site, seconds: float = 10) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.web_port), timeout=seconds)


def exchange(site, method: str, path: str, headers: dict | None = None, body: bytes = b"") -> Reply:
    """One request on a connection of its own."""
    with connect(site) as connection:
        connection.sendall(request_bytes(method, path, headers, body))
        return Reply(read_all(connection))


def request_bytes(method: str, path: str, headers: dict | None = None, body: bytes = b"") -> bytes:
    fields = {"Host": "localhost", "Connection": "close", **(headers or {})}
    if body:
        fields.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return data


def read_reply(connection: socket.socket) -> Reply:
    """The next reply of a connection that goes on; it must have a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += read_some(connection, 1)
    reply = Reply(data)
    left = int(reply.headers["content-length"])
    while len(reply.body) < left:
        reply.body += read_some(connection, left - len(reply.body))
    return reply


def read_some(connection: socket.socket, count: int) -> bytes:
    data = connection.recv(count)
    assert data, "the connection has ended"
    return data
