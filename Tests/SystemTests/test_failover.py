"""One good endpoint beside bad ones: no error reaches a client, the dead are left out, and they come back."""

import asyncio
import itertools
import os
import threading
import time
from contextlib import ExitStack

import pytest

from lumen_site import Site
from machine import free_port, wait_for
from raw_backend import RawBackend, fail_at_random, good, hang
from wire import WireClient

# The full size takes minutes.
REQUESTS = 500 if "PROVE_FULL" in os.environ else 150
AT_ONCE = 16
MESSAGES = [{"role": "user", "content": "hi"}]
BAD = {"killed": good, "hanging": hang, "500 at random": fail_at_random}
OUT_SECONDS = 1
BACK_SECONDS = 10


@pytest.mark.parametrize("pair", [*itertools.combinations_with_replacement(BAD, 2)], ids=" and ".join)
def test_no_error_reaches_a_client(pair):
    with ExitStack() as stack:
        backends = [stack.enter_context(RawBackend(BAD[name])) for name in pair]
        healthy = stack.enter_context(RawBackend(good))
        doomed = [backend for name, backend in zip(pair, backends) if name == "killed"]
        site = stack.enter_context(Site(models=(model(*backends, healthy),)))
        answers = asyncio.run(ask_many(site, REQUESTS, lambda: [backend.stop() for backend in doomed]))
        assert answers.failures == []
        counts = [backend.requests for backend in (*backends, healthy)]
        assert all(count > 0 for count in counts) and healthy.requests > REQUESTS / 3
        print(f"{' and '.join(pair)}: {answers.summary()}; the endpoints got {counts}")


def test_a_dead_one_is_out_within_a_second_and_back_within_ten():
    mortal = At(free_port())
    with RawBackend(good) as healthy, Site(models=(model(mortal, healthy),)) as site, Load(site) as load:
        with RawBackend(good, port=mortal.port) as first_life:
            wait_for("requests at the mortal one", lambda: is_healthy(site, mortal) and first_life.requests > 10)
        print(f"out after {seconds_until(lambda: not is_healthy(site, mortal), OUT_SECONDS):.2f} s")
        with RawBackend(good, port=mortal.port) as second_life:
            print(f"back after {seconds_until(lambda: is_healthy(site, mortal), BACK_SECONDS):.2f} s")
            wait_for("requests at the one that is back", lambda: second_life.requests > 10)
            load.stop()
        assert load.failures == []


def test_more_than_the_limit_wait_for_their_turn():
    running, most = 0, 0

    def count(connection, number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return good(connection, number)

    with RawBackend(count) as backend, Site(models=(model(backend, max_concurrency=3),)) as site:
        assert asyncio.run(ask_many(site, 60)).failures == []
        assert 1 < most <= 3


class At:
    """Where a backend may be."""

    def __init__(self, port: int):
        self.port = port
        self.url = f"http://127.0.0.1:{port}/v1"


def model(*backends, **members) -> dict:
    timeouts = {"first_byte_timeout": 2, "connect_timeout": 1}
    return {"name": "m", "endpoints": [{"url": backend.url, **timeouts, **members} for backend in backends]}


class Answers:
    """How a number of streams went."""

    def __init__(self):
        self.failures = []
        self.seconds = []

    def summary(self) -> str:
        median = sorted(self.seconds)[len(self.seconds) // 2]
        return (
            f"{len(self.seconds)} requests, {len(self.failures)} failures, "
            f"median {median * 1000:.0f} ms, slowest {max(self.seconds):.1f} s"
        )


async def ask_many(site: Site, count: int, after_some=lambda: None) -> Answers:
    """So many streams, some at a time; `after_some` is called while they run."""
    answers = Answers()
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(client, number: int) -> None:
        async with turns:
            if number == count // 5:
                await asyncio.to_thread(after_some)
            await ask_once(client, answers)

    async with site.async_client(site.create_key(), timeout=30) as client:
        await asyncio.gather(*[ask(client, number) for number in range(count)])
    return answers


async def ask_once(client, answers: Answers) -> None:
    begin = time.monotonic()
    try:
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        text = "".join([one.choices[0].delta.content or "" async for one in stream if one.choices])
        if text != "Hello world":
            answers.failures.append(text)
    except Exception as error:
        answers.failures.append(repr(error))
    answers.seconds.append(time.monotonic() - begin)


class Load:
    """A context manager that asks in a thread, until it is stopped."""

    def __init__(self, site: Site):
        self.site, self.failures, self.is_stopped = site, [], False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    def __enter__(self) -> "Load":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        self.is_stopped = True
        self.thread.join()

    async def run(self) -> None:
        answers = Answers()
        async with self.site.async_client(self.site.create_key("load@example.edu"), timeout=30) as client:
            while not self.is_stopped:
                await asyncio.gather(*[ask_once(client, answers) for _ in range(4)])
        self.failures = answers.failures


def is_healthy(site: Site, backend) -> bool:
    [router] = site.run_dir.glob("router-*.sock")
    with WireClient(router) as peer:
        return next(one["isHealthy"] for one in peer.call("router.endpoints", {}) if one["url"] == backend.url)


def seconds_until(condition, limit: float) -> float:
    begin = time.monotonic()
    wait_for("a change of the endpoint's standing", condition, limit)
    return time.monotonic() - begin
