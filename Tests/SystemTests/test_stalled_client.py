"""A client that keeps its connection and reads nothing is cut, its backend stopped, and what it had got is billed."""

import json
import socket
import threading

from chats import asked
from lumen_site import Site
from machine import wait_for
from raw_backend import HEAD, RawBackend, event, sse
from raw_http import request_bytes

STALL_SECONDS = 1
SEEN_SECONDS = 20


def test_a_client_that_reads_nothing_is_cut():
    sent, is_left = 0, threading.Event()

    def flood(connection, _):
        nonlocal sent
        try:
            connection.sendall(HEAD + b"Connection: close\r\n\r\n")
            while True:
                connection.sendall(sse(event("x" * 10_000)))
                sent += 1
        finally:
            is_left.set()

    with RawBackend(flood) as backend:
        model = {"name": "flood", "endpoints": [{"url": backend.url}]}
        with Site({"routing": {"client_stall_timeout": STALL_SECONDS}}, models=(model,)) as site:
            key = site.create_key()
            with ask_and_read_nothing(site, key, "flood"):
                assert is_left.wait(SEEN_SECONDS), f"{sent} events were sent, and nobody left"
                [bill] = wait_for("the bill", lambda: site.events(key))
            assert bill["usage"]["outcome"] == "cancelled"
            assert 0 < bill["usage"]["completion"]
            assert site.pool(key)["reserved"] == 0


def ask_and_read_nothing(site: Site, key: str, model: str) -> socket.socket:
    client = socket.socket()
    # Before it connects: the window that it offers is small from the start.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", site.web_port))
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = json.dumps({**asked(model), "stream": True}).encode()
    client.sendall(request_bytes("POST", "/v1/chat/completions", headers, body))
    return client
