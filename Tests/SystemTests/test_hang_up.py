"""A client that leaves: the backend stops working for it, and what had been produced is paid."""

import json
import socket
import struct
import time

from chats import ask, asked, content_events
from machine import wait_for
from raw_http import connect, request_bytes

SITE = {"models": ("gap-50", {"name": "slow", "remote": "slow-first-byte-2000"})}

# The bound is the promise; three attempts, because other processes of the machine may be in the way of one.
SEEN_WITHIN_SECONDS = 0.1
ATTEMPTS = 3


def test_backend_sees_a_hang_up_in_mid_stream_within_100_ms(site):
    delays = []
    for attempt in range(ATTEMPTS):
        key = site.create_key(f"leaver{attempt}@example.edu")
        received, left, request = leave_after(site, key, events=5)
        assert request["tokens"] >= received
        delays.append(request["left_ms"] / 1000 - left)
        event = wait_for("the usage event", lambda: site.events(key))[0]
        assert event["usage"]["outcome"] == "cancelled"
        assert event["usage"]["isEstimated"] is True
        assert received <= event["usage"]["completion"] <= 3 * request["tokens"]
        assert event["billed"] == event["usage"]["prompt"] + event["usage"]["completion"]
        assert site.pool(key)["reserved"] == 0
        if delays[-1] <= SEEN_WITHIN_SECONDS:
            break
    assert min(delays) <= SEEN_WITHIN_SECONDS, delays


def leave_after(site, key, events: int):
    """Reads so many events and closes; what was received, when, and what the backend saw."""
    before = site.observed()["requests"]
    with site.client(key) as client:
        stream = ask(client, "gap-50", stream=True)
        for _, _ in zip(range(events), content_events(stream)):
            pass
        left = time.time()
        stream.response.close()
    request = wait_for(
        "the backend to see its connection closed",
        lambda: next((r for r in site.observed()["latest"] if r["number"] > before and "left_ms" in r), None),
    )
    return events, left, request


def test_a_client_that_resets_at_once_is_noticed(site):
    """Its connection is gone before anybody has begun to watch it."""
    key = site.create_key("hasty@example.edu")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = request_bytes("POST", "/v1/chat/completions", headers, json.dumps(asked("slow")).encode())
    with site.client(key) as client:
        for _ in range(8):
            connection = connect(site)
            connection.sendall(request)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        # As long as their answers would take, and these come before this one.
        ask(client, "slow")
    wait_for("the end of every reservation", lambda: site.pool(key)["reserved"] == 0)
    assert [event["usage"]["outcome"] for event in site.events(key)].count("completed") == 1
