"""Routers come, go and die under load: no request that had not begun fails, and no stream of a drained one breaks."""

import asyncio
import os
import signal
import time

from clients import Ask, Sent, send_one
from lumen_site import Site
from machine import wait_for
from wire import WireClient

# The full sizes take minutes.
FULL = "PROVE_FULL" in os.environ
STREAMS = 100 if FULL else 30
RATE = 200 if FULL else 60
ROUTERS = 2
# The requests go on for so long, at least until all is replaced.
SECONDS = 20 if FULL else 4
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
        wait_for("the drained one to leave", lambda: first not in instances(site))
        assert routers(site) == [second]
        assert all(one["restarts"] == 0 for one in site.status()["instances"])


def test_rolling_replacement_under_load_breaks_nothing():
    with Site({"routing": {"drain": 120}}, models=("dummy", STREAM), routers=ROUTERS) as site:
        old = set(routers(site))
        load = asyncio.run(under_load(site, site.create_key(), replace_all))
        load.check()
        assert load.broken_streams == []
        assert len(routers(site)) == ROUTERS and not old & set(routers(site))


def test_kill_9_of_a_router_under_load_fails_no_request_that_had_not_begun():
    with Site(models=("dummy", STREAM), routers=ROUTERS) as site:
        load = asyncio.run(under_load(site, site.create_key(), kill_one))
        load.check()
        # Those of the killed one had begun.
        assert 0 < len(load.broken_streams) < STREAMS


class Load:
    """What a steady load of requests and a number of open streams met with."""

    def __init__(self, requests: list[Sent], streams: list[Sent], seconds: float):
        self.failures = [one for one in requests if not one.is_whole]
        self.broken_streams = [one for one in streams if not one.is_whole or one.events != STREAM_TOKENS]
        self.slowest_ms = max(one.ended_ms - one.started_ms for one in requests)
        self.rate = len(requests) / seconds

    def check(self) -> None:
        print(
            f"{self.rate:.0f} requests/s beside {STREAMS} streams for {SECONDS} s: {len(self.failures)} failures, "
            f"{len(self.broken_streams)} broken streams, slowest request {self.slowest_ms:.0f} ms"
        )
        assert not self.failures, {(one.status, one.code, one.problem) for one in self.failures}
        # Lower, and the test did not ask as fast as it should. In CI, the machine may be as busy as it likes.
        assert self.rate > RATE * (0.9 if FULL else 0.2)


async def under_load(site: Site, key: str, disturb) -> Load:
    """Asks at the rate for `SECONDS` while the streams are open; `disturb` is called meanwhile."""

    def send(name: str, model: str, is_stream: bool) -> asyncio.Task[Sent]:
        return asyncio.create_task(send_one(site.web_port, key, 0, Ask(name, model, is_stream, None, None)))

    await asyncio.to_thread(wait_for, "all routers", lambda: len(routers(site)) == ROUTERS, 30)
    # Web notices a new one within a second.
    await asyncio.sleep(1.5)
    streams = [send(f"stream-{number}", STREAM, True) for number in range(STREAMS)]
    await asyncio.to_thread(wait_for, "every stream to run", lambda: sum(in_flight(site)) == STREAMS, 30)
    assert all(in_flight(site))
    disturbance = asyncio.create_task(disturb_later(site, disturb))
    requests, begin = [], time.monotonic()
    while (passed := time.monotonic() - begin) < SECONDS or not disturbance.done():
        requests.append(send(f"request-{len(requests)}", "dummy", False))
        await asyncio.sleep(max(0, len(requests) / RATE - passed))
    await disturbance
    return Load(await asyncio.gather(*requests), await asyncio.gather(*streams), passed)


async def disturb_later(site: Site, disturb) -> None:
    await asyncio.sleep(0.5)
    await asyncio.to_thread(disturb, site)


def replace_all(site: Site) -> None:
    for old in routers(site):
        site.lumen("router", "add")
        site.lumen("router", "drain", old)


def kill_one(site: Site) -> None:
    os.kill(site.services("router")[0], signal.SIGKILL)


def routers(site: Site) -> list[str]:
    """The ids of the routers that take requests."""
    return [
        one["instance"] for one in site.status()["instances"] if one["service"] == "router" and not one["draining"]
    ]


def instances(site: Site) -> list[str]:
    return [one["instance"] for one in site.status()["instances"]]


def in_flight(site: Site) -> list[int]:
    """How many requests each router has at its backends."""
    counts = []
    for path in site.run_dir.glob("router-*.sock"):
        with WireClient(path) as router:
            counts.append(sum(endpoint["inFlight"] for endpoint in router.call("router.endpoints", {})))
    return counts
