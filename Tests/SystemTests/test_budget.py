"""Balances under concurrency: what is spent is what was there."""

import asyncio
import threading

import openai

from chats import CANARY, ask, asked
from lumen_site import Site
from machine import wait_for

# Long enough that what is left after 50 of them does not even cover the estimate of its prompt.
LONG = f"{CANARY} " + "word " * 200
OUTPUT = 20
# What is left over for the short request at the end.
REST_OUTPUT = 7


def test_200_requests_at_once_with_a_balance_for_50():
    with Site(models=("exact",), routers=2) as site:
        long_cost = cost_of(site, LONG, OUTPUT)
        short_cost = cost_of(site, "x", REST_OUTPUT)
        balance = 50 * long_cost + short_cost
        set_budget(site, balance)
        key = site.create_key("spender@example.edu")
        lowest = LowestBalance(site, key)
        outcomes = asyncio.run(run_all(site, key, 200))
        assert lowest.stop() >= 0
        assert sorted(outcomes) == ["insufficient_quota"] * 150 + ["ran"] * 50
        assert_settled(site, key, short_cost)
        with site.client(key) as client:
            ask(client, "exact", "x", max_tokens=REST_OUTPUT)
            assert_settled(site, key, 0)
            assert code_of(lambda: ask(client, "exact", "x", max_tokens=1)) == "insufficient_quota"
        events = site.events(key)
        assert len(events) == 51
        assert sum(event["billed"] for event in events) == balance
        assert all(event["writtenOff"] == 0 for event in events)


def test_limit_is_lowered_to_what_is_left():
    with Site(models=("exact", "tokens-500-at-0")) as site:
        balance = cost_of(site, "x", 50)
        set_budget(site, balance)
        key = site.create_key("spender@example.edu")
        with site.client(key) as client:
            reply = client.chat.completions.with_raw_response.create(**asked("tokens-500-at-0", "x"), max_tokens=500)
        lowered = int(reply.headers["x-lumen-output-limit"])
        # The bound of the prompt does not fit beside so many tokens, its estimate does.
        assert 50 <= lowered < balance
        assert reply.headers["x-lumen-limited-by"] == "user"
        assert reply.parse().usage.completion_tokens == lowered
        (event,) = site.events(key)
        assert event["writtenOff"] == 0
        assert_settled(site, key, balance - event["billed"])


def test_backend_that_reports_more_than_was_reserved():
    with Site(models=("exact", {"name": "greedy", "remote": "greedy-3"})) as site:
        cost = cost_of(site, "x", OUTPUT)
        set_budget(site, cost + 10)
        key = site.create_key("victim@example.edu")
        with site.client(key) as client:
            ask(client, "greedy", "x", max_tokens=OUTPUT)
        assert_settled(site, key, 10)
        (event,) = site.events(key)
        assert event["billed"] == cost
        assert event["writtenOff"] == 2 * cost


def cost_of(site: Site, text: str, output: int) -> int:
    """What one request to `exact` is billed, paid by somebody with plenty."""
    key = site.create_key("rich@example.edu")
    with site.client(key) as client:
        ask(client, "exact", text, max_tokens=output)
    return site.events(key)[0]["billed"]


def set_budget(site: Site, tokens: int) -> None:
    site.change_configuration({"groups": {"default": {"default": {"max": tokens, "refresh": 0}}}})
    stranger = site.create_key("stranger@example.edu")
    wait_for("the new budget", lambda: site.pool(stranger)["max"] == tokens)


def assert_settled(site: Site, key: str, balance: int) -> None:
    pool = site.pool(key)
    assert (pool["balance"], pool["reserved"]) == (balance, 0)


async def run_all(site: Site, key: str, count: int) -> list[str]:
    async with site.async_client(key) as client:

        async def one() -> str:
            try:
                await client.chat.completions.create(**asked("exact", LONG), max_tokens=OUTPUT)
                return "ran"
            except openai.RateLimitError as error:
                return error.code

        return await asyncio.gather(*(one() for _ in range(count)))


def code_of(call) -> str | None:
    try:
        call()
    except openai.APIStatusError as error:
        return error.code
    return None


class LowestBalance:
    """Watches a pool from a thread of its own until `stop`, which tells the least that it held."""

    def __init__(self, site: Site, key: str):
        self.site, self.account = site, site.account(key)
        self.lowest: list[int] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self) -> None:
        while not self.stopped.is_set():
            sheet = self.site.call("ledger", "ledger.balances", {"account": self.account})
            self.lowest += [min(pool["balance"], pool["reserved"]) for pool in sheet["pools"]]

    def stop(self) -> int:
        self.stopped.set()
        self.thread.join()
        return min(self.lowest)
