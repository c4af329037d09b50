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

    def __init__(self, port: int, key: str, body: dict, count: int):
        raise_file_limit()
        content = json.dumps(body).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {key}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.sockets = []
        # In steps: the test is how many stay open, not how many come in the same millisecond.
        for start in range(0, count, 100):
            fresh = [open_stream(port, head.encode() + content) for _ in range(min(100, count - start))]
            self.sockets += fresh
            await_first_event(fresh)

    def __enter__(self) -> "OpenStreams":
        return self

    def __exit__(self, *_) -> None:
        for stream in self.sockets:
            stream.close()


def open_stream(port: int, request: bytes) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(request)
    stream.setblocking(False)
    return stream


def await_first_event(streams: list[socket.socket], seconds: float = 60) -> None:
    """Returns when each stream has delivered a `data:` line."""
    selector = selectors.DefaultSelector()
    received = {}
    for stream in streams:
        selector.register(stream, selectors.EVENT_READ)
        received[stream] = b""
    end = time.monotonic() + seconds
    while selector.get_map():
        if time.monotonic() > end:
            raise TimeoutError(f"{len(selector.get_map())} streams had no event within {seconds} s")
        for ready, _ in selector.select(timeout=1):
            piece = ready.fileobj.recv(65536)
            received[ready.fileobj] += piece
            if not piece or not received[ready.fileobj].startswith(b"HTTP/1.1 200"):
                raise ConnectionError(f"no stream: {received[ready.fileobj][:300]!r}")
            if b"\ndata: {" in received[ready.fileobj]:
                selector.unregister(ready.fileobj)
    selector.close()


def raise_file_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
