"""The services' wire, spoken by a stranger: a 4-byte big-endian length and that many bytes of JSON."""

import hashlib
import hmac
import json
import os
import socket
import struct
from pathlib import Path


class WireError(Exception):
    """A call that failed, with the `code` of its error."""

    def __init__(self, error: dict):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]


class WireClient:
    """One connection; one call at a time."""

    def __init__(self, path: Path, timeout: float = 5):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.next_id = 1
        self.send({"hello": {"version": 1, "service": "test", "instance": "test", "pid": os.getpid()}})
        self.hello = self.receive()["hello"]

    def __enter__(self) -> "WireClient":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def call(self, method: str, params: dict, deadline_ms: int = 5000):
        request = {"id": self.next_id, "method": method, "deadline_ms": deadline_ms, "params": params}
        self.next_id += 1
        self.send(request)
        reply = self.receive()
        assert reply["id"] == request["id"]
        if "error" in reply:
            raise WireError(reply["error"])
        return reply["result"]

    def send(self, message: dict) -> None:
        body = json.dumps(message).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def receive(self) -> dict:
        (length,) = struct.unpack(">I", self.read(4))
        return json.loads(self.read(length))

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the service closed the connection")
            data += piece
        return data


def credential_hash(secret: str, key: str) -> str:
    return hmac.new(key.encode(), secret.encode(), hashlib.sha256).hexdigest()
