"""Load from loopback: wrk for requests and whole streams, and a client that holds streams open."""

import json
import os
import resource
import selectors
import socket
import subprocess
import tempfile
import time
from pathlib import Path

POST = Path(__file__).with_name("post.lua")
# The end of a chunked reply that says it is done.
LAST_CHUNK = b"data: [DONE]\n\n\r\n0\r\n\r\n"


def wrk(port: int, key: str, body: dict, connections: int, seconds: int) -> dict:
    """Outcome of `connections` clients, each of which asks again as soon as it has its whole answer."""
    with tempfile.NamedTemporaryFile("w") as file:
        json.dump(body, file)
        file.flush()
        result = subprocess.run(
            [
                "wrk",
                "--threads=1",
                f"--connections={connections}",
                f"--duration={seconds}s",
                "--timeout=30s",
                "--latency",
                f"--script={POST}",
                f"http://127.0.0.1:{port}/v1/chat/completions",
            ],
            env=os.environ | {"BENCH_BODY": file.name, "BENCH_KEY": key},
            capture_output=True,
            text=True,
            check=True,
        )
    line = next(line for line in result.stdout.splitlines() if line.startswith("outcome "))
    return json.loads(line.removeprefix("outcome "))


class OpenStreams:
    """Streams that have had their first event and stay open; a context manager."""

    # Requests that have been sent and not been answered; some hundred clients at once are a crowd already.
    AT_ONCE = 500
    OPEN_SECONDS = 60

    def __init__(self, port: int, key: str, body: dict, count: int):
        raise_file_limit()
        content = json.dumps(body).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {key}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.selector = selectors.DefaultSelector()
        self.received: dict[socket.socket, bytes] = {}
        began = time.monotonic()
        self.open(port, head.encode() + content, count)
        self.seconds = time.monotonic() - began

    def __enter__(self) -> "OpenStreams":
        return self

    def __exit__(self, *_) -> None:
        self.selector.close()
        for stream in self.received:
            stream.close()

    def open(self, port: int, request: bytes, count: int) -> None:
        """Returns when each stream has delivered a `data:` line."""
        waiting: set[socket.socket] = set()
        end = time.monotonic() + self.OPEN_SECONDS
        while waiting or len(self.received) < count:
            assert time.monotonic() < end, f"{len(waiting)} streams had no event within {self.OPEN_SECONDS} s"
            while len(waiting) < self.AT_ONCE and len(self.received) < count:
                stream = open_stream(port, request)
                self.received[stream] = b""
                self.selector.register(stream, selectors.EVENT_READ)
                waiting.add(stream)
            for stream in self.read(1):
                if b"\ndata: {" in self.received[stream]:
                    waiting.discard(stream)

    def read(self, seconds: float) -> list[socket.socket]:
        """Takes what has come; the streams that it came on."""
        ready = [key.fileobj for key, _ in self.selector.select(seconds)]
        for stream in ready:
            piece = stream.recv(65536)
            self.received[stream] += piece
            if not piece or not self.received[stream].startswith(b"HTTP/1.1 200"):
                raise ConnectionError(f"no stream, or no end of it: {self.received[stream][:100]!r} … {self.received[stream][-300:]!r}")
        return ready

    def finish(self, seconds: float) -> int:
        """Reads the streams to their ends; how many of them ended well, `[DONE]` and no error before it."""
        end = time.monotonic() + seconds
        while running := [stream for stream in self.received if not self.received[stream].endswith(LAST_CHUNK)]:
            assert time.monotonic() < end, f"{len(running)} streams did not end within {seconds} s"
            self.read(1)
        return sum(b'"finish_reason":"' in text and b'data: {"error"' not in text for text in self.received.values())


def open_stream(port: int, request: bytes) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(request)
    stream.setblocking(False)
    return stream


def raise_file_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
