"""What a long request costs beside a short one: its bytes are read once and relayed, not decoded."""

import base64
import http.client
import json
import time
from urllib.parse import urlsplit

ATTEMPTS = 10
# Far above the 20 ms of a release build on a quiet machine; a body that waits for `100 Continue` adds a second.
ADDED_SECONDS = 0.5


def test_a_vision_request_of_2_mb_waits_for_nothing(site, key):
    """The backend's own share is not Lumen's; the fastest of some, on a busy machine."""
    backend = urlsplit(site.backend.any_url)
    through = http.client.HTTPConnection("127.0.0.1", site.web_port, timeout=20)
    direct = http.client.HTTPConnection(backend.hostname, backend.port, timeout=20)
    added = [
        fastest(through, "/v1/chat/completions", key, size) - fastest(direct, backend.path + "/chat/completions", key, size)
        for size in (2_000, 2_000_000)
    ]
    assert added[1] - added[0] < ADDED_SECONDS


def fastest(connection, path: str, key: str, size: int) -> float:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(bytes(size * 3 // 4)).decode()}}
    content = [{"type": "text", "text": "What is this?"}, image]
    body = json.dumps({"model": "dummy", "messages": [{"role": "user", "content": content}]}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    times = []
    for _ in range(ATTEMPTS):
        began = time.perf_counter()
        connection.request("POST", path, body, headers)
        reply = connection.getresponse()
        reply.read()
        times.append(time.perf_counter() - began)
        assert reply.status == 200
    return min(times)
