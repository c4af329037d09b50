"""A backend's machine that vanishes: connections to it stay open, and nothing comes any more, not even a refusal.

The test runs this file as a program in a network namespace, of which it can take an address away."""

import asyncio
import os
import subprocess
import sys
import time

import pytest

from lumen_site import Site
from raw_backend import RawBackend, good

NAMESPACE = ["unshare", "--map-root-user", "--net"]
LOST = "10.9.9.9"
SET_UP = (
    "link set lo up",
    "link add lost type veth peer name nowhere",
    "link set lost up",
    "link set nowhere up",
    "address add 10.9.8.1/24 dev lost",
    f"address add {LOST}/32 dev lost",
)
# What is sent there from then on goes down a cable, to a machine that is not at its end.
LOSE = (
    f"address del {LOST}/32 dev lost",
    f"route add {LOST}/32 dev lost",
    f"neighbour add {LOST} lladdr 02:00:00:00:00:01 dev lost nud permanent",
)
MESSAGES = [{"role": "user", "content": "hi"}]
# Of eight, three find no connection that was kept, and their failure to connect takes the endpoint out for all. Two share
# out one kept connection and the good endpoint: the silence has to be noticed by itself, which takes a quarter of a minute.
AT_ONCE = [8, 2] if "PROVE_FULL" in os.environ else [8]
CLIENT_SECONDS = 60


@pytest.mark.parametrize("count", AT_ONCE)
def test_requests_to_a_vanished_host_move_on(count):
    if subprocess.run([*NAMESPACE, "ip", *SET_UP[1].split()], capture_output=True).returncode != 0:
        pytest.skip("this machine allows no network namespaces")
    result = subprocess.run(
        [*NAMESPACE, sys.executable, __file__, str(count)], capture_output=True, text=True, timeout=2 * CLIENT_SECONDS
    )
    print(result.stdout)
    assert result.returncode == 0, result.stderr


def main(count: int) -> None:
    for command in SET_UP:
        ip(command)
    with RawBackend(good, host=LOST) as lost, RawBackend(good) as healthy:
        endpoints = [{"url": backend.url, "connect_timeout": 1} for backend in (lost, healthy)]
        with Site(models=({"name": "m", "endpoints": endpoints},)) as site:
            asyncio.run(ask_before_and_after(site, lost, count))


async def ask_before_and_after(site: Site, lost: RawBackend, count: int) -> None:
    async with site.async_client(site.create_key(), timeout=CLIENT_SECONDS) as client:
        for _ in range(4):
            await ask(client)
        assert lost.requests == 2
        for command in LOSE:
            ip(command)
        begin = time.monotonic()
        await asyncio.gather(*[ask(client) for _ in range(count)])
        print(f"{count} requests were answered within {time.monotonic() - begin:.1f} s")
        assert lost.requests == 2


async def ask(client) -> None:
    stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    assert "".join([one.choices[0].delta.content or "" async for one in stream if one.choices]) == "Hello world"


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
