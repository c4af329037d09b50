"""A client that reads a flood at 1 KB/s: it is served, holds no memory but the kernel's, and is in nobody's way."""

import json
import socket
import statistics
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "Benchmarks"))

from chats import ask
from ledger_alone import IS_FULL
from lumen_site import Site
from machine import wait_for
from measure import private_kb
from raw_http import request_bytes

SECONDS = 300 if IS_FULL else 15
# Seconds in which a client that reads nothing is cut; that one reads slowly must make no difference.
STALL_SECONDS = 60 if IS_FULL else 4
FLOOD = "tokens-1000000-at-0"
READ_BYTES = 1000
# As of somebody at the end of a slow line; this machine's own is 64 times as long.
RECEIVE_BUFFER = 4096
# What the first seconds need is needed once.
WARM_UP_SECONDS = 5
GROWTH_KB = 4000
# What is on its way to a client that reads nothing: some hundred kilobytes in each process and socket.
BILLED_TOKENS = 20_000
# Of another request meanwhile; on a busy machine.
OTHERS_SECONDS = 2


def test_a_client_that_reads_a_kilobyte_a_second():
    changes = {"routing": {"client_stall_timeout": STALL_SECONDS}}
    with Site(changes, models=("dummy", FLOOD), routers=2) as site, slow_client(site, site.create_key()) as reader:
        pids = [*site.services("web"), *site.services("router")]
        memory, delays = [], []
        with site.client(site.create_key("other@example.edu")) as other:
            for second in range(SECONDS):
                began = time.monotonic()
                assert reader.recv(READ_BYTES), f"the slow client was cut after {second} s"
                ask(other)
                delays.append(time.monotonic() - began)
                memory.append(sum(private_kb(pid) for pid in pids))
                time.sleep(max(0, began + 1 - time.monotonic()))
        warm, median = memory[WARM_UP_SECONDS], statistics.median(delays)
        print(f"{warm} kB after {WARM_UP_SECONDS} s, at most {max(memory)} kB later; others took {median:.3f} s (median)")
        assert max(memory[WARM_UP_SECONDS:]) - warm < GROWTH_KB, memory
        assert median < OTHERS_SECONDS, delays


def slow_client(site, key: str) -> socket.socket:
    """Has asked for the flood and read nothing yet."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    client.connect(("127.0.0.1", site.web_port))
    client.settimeout(10)
    body = {"model": FLOOD, "messages": [{"role": "user", "content": "x"}], "stream": True, "max_tokens": 1_000_000}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    client.sendall(request_bytes("POST", "/v1/chat/completions", headers, json.dumps(body).encode()))
    return client


def test_a_client_that_reads_nothing_is_cut_and_billed():
    with Site({"routing": {"client_stall_timeout": 2}}, models=(FLOOD,)) as site:
        key = site.create_key()
        with slow_client(site, key):
            usage = wait_for("the bill", lambda: site.events(key), 30)[0]["usage"]
        assert usage["outcome"] == "cancelled"
        assert usage["completion"] < BILLED_TOKENS
        print(f"{usage['completion']} tokens were billed")
