"""Rate limits that several webs share in Redis, and what happens while Redis is silent or away."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from lumen_site import Site
from machine import wait_for
from postgres import Postgres
from redis_server import Redis

# What a decision may take longer while Redis is silent: 50 ms, and twice as much again for a busy machine.
LONGER_SECONDS = 0.15
LEFT_ALONE = "Redis is out of order"
BACK = "Redis is back"


@pytest.fixture
def redis():
    with Redis() as redis:
        yield redis


def site_on(redis: Redis, limit: str, **changes) -> Site:
    return Site({"rate_limiting": {"limit": limit, "storage_url": redis.url}, **changes})


def models(site: Site, key: str, http: httpx2.Client) -> httpx2.Response:
    """A cheap request that counts."""
    return http.get(f"{site.url}/v1/models", headers={"Authorization": f"Bearer {key}"})


def statuses(sites: list[Site], keys: list[str], count: int) -> list[int]:
    """Of so many requests at once, over sites and keys in turn."""
    with httpx2.Client() as http, ThreadPoolExecutor(16) as pool:
        turns = ((sites[n % len(sites)], keys[n // len(sites) % len(keys)]) for n in range(count))
        return list(pool.map(lambda turn: models(*turn, http).status_code, turns))


def test_two_webs_share_one_limit_exactly(redis):
    with Postgres() as server:
        both = {"limit": "30 per minute", "app": {"database_url": server.create_database()}}
        with site_on(redis, **both) as one, site_on(redis, **both) as other:
            keys = [one.create_key("many@example.edu", f"key {n}") for n in range(2)]
            found = statuses([one, other], keys, 120)
            assert (found.count(200), found.count(429)) == (30, 90)
            assert LEFT_ALONE not in one.log() + other.log()


def test_a_limit_over_two_keys_and_when_to_try_again(redis):
    with site_on(redis, "30 per minute; 1000 per hour") as site, httpx2.Client() as http:
        keys = [site.create_key("many@example.edu", f"key {n}") for n in range(2)]
        start = time.monotonic()
        replies = [models(site, keys[n % 2], http) for n in range(40)]
        assert [reply.status_code for reply in replies] == [200] * 30 + [429] * 10
        left = [int(reply.headers["x-ratelimit-remaining-requests"]) for reply in replies]
        assert left == [*range(29, -1, -1), *[0] * 10]
        assert replies[-1].json()["error"]["code"] == "rate_limit_exceeded"
        wait = int(replies[-1].headers["retry-after"])
        ends = time.monotonic() + wait
        assert start + 60 <= ends + 0.5 and ends <= start + 62
        assert replies[-1].headers["x-ratelimit-reset-requests"] == f"{wait}s"


def test_the_wait_that_is_told_is_enough_by_the_clock(redis):
    with site_on(redis, "2 per 3 seconds") as site, httpx2.Client() as http:
        key = site.create_key()
        replies = [models(site, key, http) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        time.sleep(int(replies[-1].headers["retry-after"]))
        assert models(site, key, http).status_code == 200


def test_a_silent_redis_costs_little_and_limits_hold(redis):
    with site_on(redis, "50 per hour") as site:
        busy, late = (site.create_key(f"{name}@example.edu") for name in ("busy", "late"))
        with Load(site, busy) as load:
            # What waits for Redis waits in each round; what a busy machine delays, it does not delay in all of them.
            for rounds in range(1, 6):
                usual = load.slowest(2)
                fresh = site.create_key(f"fresh{rounds}@example.edu")
                redis.suspend()
                silent = load.slowest(4)
                found = statuses([site], [fresh], 80)
                assert (found.count(200), found.count(429)) == (50, 30)
                redis.resume()
                wait_for("Redis to be used again", lambda: site.log().count(BACK) == rounds)
                print(f"slowest request: {usual * 1000:.0f} ms, while Redis is silent: {silent * 1000:.0f} ms")
                if silent < usual + LONGER_SECONDS:
                    break
            else:
                pytest.fail("requests waited for Redis in every round")
        assert site.log().count(LEFT_ALONE) == site.log().count(BACK) == rounds
        assert statuses([site], [late], 1) == [200]
        assert redis.ask("GET", f"lumen:{{{site.account(late)['user']}.api}}:50/3600") == "1"


def test_redis_may_come_late_and_restart(redis):
    redis.stop()
    with site_on(redis, "5 per hour") as site:
        keys = [site.create_key(f"user{n}@example.edu") for n in range(3)]
        assert sorted(statuses([site], keys[:1], 8)) == [200] * 5 + [429] * 3
        redis.start()
        key = f"lumen:{{{site.account(keys[1])['user']}.api}}:5/3600"
        # By requests of the first, who is refused here and, later, counted there.
        wait_for("Redis to be used", lambda: statuses([site], keys[:1], 1) and BACK in site.log())
        assert sorted(statuses([site], keys[1:2], 8)) == [200] * 5 + [429] * 3
        assert redis.ask("GET", key) == "5"
        redis.stop()
        assert sorted(statuses([site], keys[2:], 8)) == [200] * 5 + [429] * 3
        assert str(redis.socket) not in site.log()


def test_keys_that_are_not_valid_are_limited_by_address():
    with Site() as site, httpx2.Client() as http:
        key = site.create_key()

        def ask(key: str, address: str) -> httpx2.Response:
            headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": f"198.51.100.1, {address}"}
            return http.get(f"{site.url}/v1/models", headers=headers)

        assert ask(key, "192.0.2.1").status_code == 200
        assert [ask(f"sk-lumen-{n}", "192.0.2.1").status_code for n in range(25)] == [401] * 20 + [429] * 5
        refused = ask("sk-lumen-guess", "192.0.2.1")
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert ask(key, "192.0.2.1").status_code == 200, "a key that is known as valid passes"
        assert ask(site.create_key("new@example.edu"), "192.0.2.1").status_code == 429
        assert ask("sk-lumen-guess", "192.0.2.2").status_code == 401


class Load:
    """Requests of eight clients, without a pause, and how long each took."""

    def __init__(self, site: Site, key: str):
        self.site, self.key = site, key
        self.slowest_seconds = 0.0
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(8)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        # The first requests make connections, and ask auth for the key.
        time.sleep(0.5)
        return self

    def __exit__(self, *_) -> None:
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def run(self) -> None:
        with httpx2.Client() as http:
            while not self.ends.is_set():
                start = time.monotonic()
                models(self.site, self.key, http)
                self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - start)
                time.sleep(0.01)

    def slowest(self, seconds: float) -> float:
        """Of the requests that end in this time."""
        self.slowest_seconds = 0
        time.sleep(seconds)
        return self.slowest_seconds
