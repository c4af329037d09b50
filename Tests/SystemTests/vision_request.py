"""A chat request with a picture, and how long one takes."""

import base64
import http.client
import json
import time
from urllib.parse import urlsplit


def chat_body(size: int, model: str = "dummy") -> bytes:
    """About `size` bytes, nearly all of them the picture's."""
    picture = "data:image/png;base64," + base64.b64encode(bytes(size * 3 // 4)).decode()
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": picture}}]
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}]}).encode()


def seconds(base_url: str, key: str, size: int, count: int) -> list[float]:
    """How long each of `count` requests takes, one after the other on one connection."""
    base, body = urlsplit(base_url), chat_body(size)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(base.hostname, base.port, timeout=20)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("POST", base.path + "/chat/completions", body, headers)
        reply = connection.getresponse()
        reply.read()
        times.append(time.perf_counter() - began)
        assert reply.status == 200
    connection.close()
    return times
