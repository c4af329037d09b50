"""Routers come, go and die under load: no request that had not begun fails, and no stream of a drained one breaks."""

import asyncio
import os
import signal
import time

from lumen_site import Site
from machine import send

# The full sizes take minutes: LUMEN_FULL=1.
FULL = bool(os.environ.get("LUMEN_FULL"))
STREAMS = 100 if FULL else 30
RATE = 200 if FULL else 60
ROUTERS = 2
STREAM_TOKENS, STREAM_RATE = (600, 20) if FULL else (160, 20)
STREAM = f"tokens-{STREAM_TOKENS}-at-{STREAM_RATE}"
MESSAGES = [{"role": "user", "content": "hi"}]


def test_without_a_supervisor_routers_are_not_ours_to_scale():
    with Site(starts=False) as site:
        for arguments in [("router", "add"), ("router", "drain", "abcd")]:
            result = site.lumen(*arguments, check=False)
            assert result.returncode == os.EX_UNAVAILABLE
            assert "scale with your supervisor" in result.stderr


def test_routers_are_added_and_drained():
    with Site(models=("dummy",)) as site:
        [first] = routers(site)
        refused = site.lumen("router", "drain", first, check=False)
        assert refused.returncode == 1 and "only router" in refused.stderr
        second = site.lumen("router", "add").stdout.strip()
        assert set(routers(site)) == {first, second}
        site.lumen("router", "drain", first)
        assert first in site.lumen("status", check=False).stdout or first not in routers(site)
        with site.client(site.create_key()) as client:
            client.chat.completions.create(model="dummy", messages=MESSAGES)
        wait_until_gone(site, first)
        assert routers(site) == [second]
        assert all(one["restarts"] == 0 for one in site.status()["instances"])


def test_rolling_replacement_under_load_breaks_nothing():
    with Site({"routing": {"drain": 120}}, models=("dummy", STREAM), routers=ROUTERS) as site:
        key = site.create_key()
        load = asyncio.run(under_load(site, key, replace_all))
        assert load.failures == []
        assert load.broken_streams == []
        assert load.requests > RATE


def test_kill_9_of_a_router_under_load_fails_no_request_that_had_not_begun():
    with Site(models=("dummy", STREAM), routers=ROUTERS) as site:
        key = site.create_key()
        load = asyncio.run(under_load(site, key, kill_one))
        assert load.failures == []
        # Those of the killed one had begun.
        assert len(load.broken_streams) < STREAMS


class Load:
    """What a steady load of requests and a number of open streams met with."""

    def __init__(self):
        self.requests = 0
        self.failures = []
        self.broken_streams = []


async def under_load(site: Site, key: str, disturb) -> Load:
    load = Load()
    async with site.async_client(key, timeout=60) as client:
        streams = [asyncio.create_task(follow(client, load)) for _ in range(STREAMS)]
        await asyncio.sleep(1)
        stopped = asyncio.Event()
        requests = asyncio.create_task(ask_steadily(client, load, stopped))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(disturb, site)
        await asyncio.sleep(0.5)
        stopped.set()
        await requests
        await asyncio.gather(*streams)
    return load


async def ask_steadily(client, load: Load, stopped: asyncio.Event) -> None:
    running = set()
    begin = time.monotonic()
    while not stopped.is_set():
        task = asyncio.create_task(ask_once(client, load))
        running.add(task)
        task.add_done_callback(running.discard)
        load.requests += 1
        await asyncio.sleep(max(0, begin + load.requests / RATE - time.monotonic()))
    await asyncio.gather(*running)


async def ask_once(client, load: Load) -> None:
    try:
        await client.chat.completions.create(model="dummy", messages=MESSAGES)
    except Exception as error:
        load.failures.append(repr(error))


async def follow(client, load: Load) -> None:
    count = 0
    try:
        async for event in await client.chat.completions.create(model=STREAM, messages=MESSAGES, stream=True):
            count += bool(event.choices and event.choices[0].delta.content)
        if count != STREAM_TOKENS:
            load.broken_streams.append(f"{count} events")
    except Exception as error:
        load.broken_streams.append(repr(error))


def replace_all(site: Site) -> None:
    for old in routers(site):
        site.lumen("router", "add")
        site.lumen("router", "drain", old)


def kill_one(site: Site) -> None:
    send(site.services("router")[0], signal.SIGKILL)
    time.sleep(2)


def routers(site: Site) -> list[str]:
    """The ids of the routers that take requests."""
    instances = [one for one in site.status()["instances"] if one["service"] == "router"]
    return [one["instance"] for one in instances if not one["draining"]]


def wait_until_gone(site: Site, router: str) -> None:
    end = time.monotonic() + 10
    while any(one["instance"] == router for one in site.status()["instances"]):
        assert time.monotonic() < end, f"{router} is still there"
        time.sleep(0.1)
