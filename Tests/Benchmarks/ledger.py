"""How many reserve + durable post pairs a ledger does by itself, and what a pair costs it: many in flight, many users."""

import asyncio
import json
import os
import struct
import time
from pathlib import Path

from measure import CPUMeter

CONNECTIONS = 4
IN_FLIGHT = 32
USERS = 200
SECONDS = 6
ACCOUNT_CREATED = 1_700_000_000_000


class Pairs(asyncio.Protocol):
    """One connection that keeps pairs in flight: each reply to a reserve is followed by its post, each post by the next."""

    def __init__(self, name: str, in_flight: int, failures: list):
        self.name, self.in_flight, self.failures = name, in_flight, failures
        self.buffer = b""
        self.begun = self.done = 0
        self.goes_on = True

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.send({"hello": {"version": 1, "service": "bench", "instance": self.name, "pid": os.getpid()}})
        for _ in range(self.in_flight):
            self.reserve()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) >= 4:
            (length,) = struct.unpack_from(">I", self.buffer)
            if len(self.buffer) < 4 + length:
                return
            frame, self.buffer = self.buffer[4 : 4 + length], self.buffer[4 + length :]
            self.received(json.loads(frame))

    def received(self, frame: dict) -> None:
        if "hello" in frame:
            return
        if "error" in frame or "refused" in str(frame["result"]):
            self.failures.append(frame)
            return
        number, is_post = divmod(frame["id"], 2)
        if not is_post:
            self.send(self.call(frame["id"] + 1, "ledger.post", number, usage=USAGE))
        else:
            self.done += 1
            if self.goes_on:
                self.reserve()

    def reserve(self) -> None:
        self.begun += 1
        limits = {"promptBound": 100, "outputs": 1, "outputLimit": 100}
        self.send(self.call(self.begun * 2, "ledger.reserve", self.begun, owner=self.name, **limits))

    def call(self, frame: int, method: str, number: int, **more) -> dict:
        account = {"user": number % USERS + 1, "groups": ["default"], "created": ACCOUNT_CREATED}
        params = {"request": f"{self.name}-{number}", "account": account, "key": 7, "source": "api", "model": "fixed"}
        return {"id": frame, "method": method, "deadline_ms": 20_000, "params": params | more}

    def send(self, message: dict) -> None:
        body = json.dumps(message).encode()
        self.transport.write(struct.pack(">I", len(body)) + body)


USAGE = {
    "prompt": 60, "completion": 80, "isEstimated": False, "endpoint": "http://backend/v1", "started": ACCOUNT_CREATED,
    "durationMs": 900, "firstTokenMs": 80, "outcome": "completed",
}  # fmt: skip


def pairs(socket: Path, pid: int) -> dict:
    return asyncio.run(load(socket, pid))


async def load(socket: Path, pid: int) -> dict:
    loop = asyncio.get_running_loop()
    failures: list = []
    clients = [Pairs(f"bench-{time.time_ns()}-{n}", IN_FLIGHT, failures) for n in range(CONNECTIONS)]
    for client in clients:
        await loop.create_unix_connection(lambda client=client: client, str(socket))
    await asyncio.sleep(1)
    meter, before, start = CPUMeter({"ledger": pid}), sum(client.done for client in clients), time.monotonic()
    await asyncio.sleep(SECONDS)
    done, seconds = sum(client.done for client in clients) - before, time.monotonic() - start
    cpu = meter.per(max(1, done))["sum"]
    for client in clients:
        client.goes_on = False
    await asyncio.sleep(1)
    assert not failures, failures[0]
    return {"pairs_per_s": round(done / seconds), "cpu_us_per_pair": cpu, "in_flight": CONNECTIONS * IN_FLIGHT}
