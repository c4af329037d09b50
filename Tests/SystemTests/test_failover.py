"""One good endpoint beside two bad ones: no error reaches a client, the dead are left out, and they come back."""

import asyncio
import itertools
import os
import time

import pytest

from lumen_site import Site
from machine import free_port
from raw_backend import RawBackend, fail_at_random, good, hang

# The full size takes minutes.
REQUESTS = 500 if "PROVE_FULL" in os.environ else 150
AT_ONCE = 16
MESSAGES = [{"role": "user", "content": "hi"}]
BAD = {"killed": None, "hanging": hang, "500 at random": fail_at_random}


@pytest.mark.parametrize("pair", [*itertools.combinations_with_replacement(BAD, 2)], ids=" and ".join)
def test_no_error_reaches_a_client(pair):
    backends = [RawBackend(BAD[name] or good) for name in pair]
    with RawBackend(good) as healthy:
        for name, backend in zip(pair, backends):
            if BAD[name]:
                backend.__enter__()
            else:
                backend.server.server_close()
        try:
            with Site(models=(endpoints(*backends, healthy),)) as site:
                assert asyncio.run(ask_many(site, REQUESTS)) == []
        finally:
            for name, backend in zip(pair, backends):
                if BAD[name]:
                    backend.__exit__()


def test_a_dead_one_is_out_within_a_second_and_back_within_ten():
    with RawBackend(good) as healthy:
        port = free_port()
        with Site(models=({"name": "m", "endpoints": [at(f"http://127.0.0.1:{port}/v1"), at(healthy.url)]},)) as site:
            with RawBackend(good, port=port) as mortal:
                assert asyncio.run(ask_many(site, 40)) == []
                assert mortal.requests > 0
            assert asyncio.run(ask_many(site, 40)) == []
            within(1, lambda: not health(site)[mortal.url])
            with RawBackend(good, port=port) as risen:
                within(10, lambda: health(site)[risen.url])
                assert asyncio.run(ask_many(site, 10)) == []
                assert risen.requests > 0


def test_more_than_the_limit_wait_for_their_turn():
    running, most = 0, 0

    def count(connection, number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return good(connection, number)

    with RawBackend(count) as backend:
        with Site(models=({"name": "m", "endpoints": [at(backend.url, max_concurrency=3)]},)) as site:
            assert asyncio.run(ask_many(site, 60)) == []
            assert most <= 3


def at(url: str, **members) -> dict:
    return {"url": url, "first_byte_timeout": 2, "connect_timeout": 1, **members}


def endpoints(*backends: RawBackend) -> dict:
    return {"name": "m", "endpoints": [at(backend.url) for backend in backends]}


async def ask_many(site: Site, count: int) -> list[str]:
    """What went wrong with so many streams, some at a time."""
    failures = []
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(client) -> None:
        async with turns:
            try:
                stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
                text = "".join([one.choices[0].delta.content or "" async for one in stream if one.choices])
                if text != "Hello world":
                    failures.append(text)
            except Exception as error:
                failures.append(repr(error))

    async with site.async_client(site.create_key(), timeout=30) as client:
        await asyncio.gather(*[ask(client) for _ in range(count)])
    return failures


def health(site: Site) -> dict[str, bool]:
    return {one["url"]: one["healthy"] for one in site.status()["endpoints"]}


def within(seconds: float, condition) -> None:
    end = time.monotonic() + seconds
    # `lumen status` itself takes a moment, so one look is always granted.
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
