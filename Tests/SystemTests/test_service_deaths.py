"""kill -9 of any one service during a chat: it comes back, the next chat works, and no balance is wrong."""

import signal
import time

import openai
import pytest
import requests

from chats import ask, content_events
from lumen_site import Site
from machine import send, wait_for

STARTING = 1_000_000
# A dead web's reservations end with its lease.
SETTLED_SECONDS = 45
# A client is told that a service does not answer after this at the latest; 4 s is what a reserve may take.
ANSWERED_SECONDS = 6


@pytest.mark.parametrize("service", ["auth", "ledger", "router", "web"])
def test_service_killed_during_a_chat(service):
    budget = {"max": STARTING, "refresh": 0}
    changes = {"groups": {"default": {"default": budget}}}
    with Site(changes, models=("dummy", "gap-50")) as site:
        key = site.create_key()
        with site.client(key, timeout=20) as client:
            ask(client)
            old = site.service(service)
            received = kill_during_stream(client, old)
            new = wait_for("the restart", lambda: next(iter(set(site.services(service)) - {old}), None))
            wait_for("a healthy status", lambda: healthy_pid(site, service) == new)
            wait_for("the next chat", lambda: answered(client), 15)
        wait_for("the last reservation to end", lambda: site.pool(key)["reserved"] == 0, SETTLED_SECONDS)
        events = site.events(key)
        assert site.pool(key)["balance"] == STARTING - sum(event["billed"] for event in events)
        streams = [event for event in events if event["model"] == "gap-50"]
        if service != "web":
            # A dead web can only be billed at its last progress, reported every second.
            assert [event["usage"]["completion"] >= received for event in streams] == [True]


def test_a_restarted_ledger_hears_what_was_reserved():
    """Nobody is given the tokens that a running stream had reserved before the ledger was killed."""
    body = {"model": "gap-50+exact", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 58}
    with Site({"groups": {"default": {"default": {"max": 100, "refresh": 0}}}}, models=("gap-50+exact",)) as site:
        key = site.create_key()
        with site.client(key, timeout=30) as client:
            stream = client.chat.completions.create(**body, stream=True)
            next(iter(stream))
            reserved = site.pool(key)["reserved"]
            left = site.pool(key)["balance"]
            assert reserved > left
            old = site.service("ledger")
            send(old, signal.SIGKILL)
            wait_for("the restart", lambda: set(site.services("ledger")) - {old})
            with pytest.raises(openai.APIStatusError) as refused:
                client.chat.completions.create(**body)
            assert refused.value.status_code == 429
            for _ in stream:
                pass
        [event] = site.events(key)
        assert (event["billed"], event["writtenOff"]) == (reserved, 0)
        assert site.pool(key)["balance"] == left


def kill_during_stream(client: openai.OpenAI, pid: int) -> int:
    """Kills the process after the third event; how many arrived before the stream ended, well or not."""
    received = 0
    try:
        for _ in content_events(ask(client, "gap-50", stream=True)):
            received += 1
            if received == 3:
                send(pid, signal.SIGKILL)
    except (openai.APIError, openai.APIConnectionError, ConnectionError, OSError):
        pass
    except Exception as error:
        # What httpx raises for a connection that breaks in mid-stream is not wrapped by the client.
        assert "httpx" in type(error).__module__ or "httpcore" in type(error).__module__, repr(error)
    assert received >= 3
    return received


def healthy_pid(site: Site, service: str) -> int | None:
    instances = [one for one in site.status()["instances"] if one["service"] == service]
    return instances[0]["pid"] if len(instances) == 1 and not instances[0]["problems"] else None


def answered(client: openai.OpenAI) -> bool:
    try:
        ask(client)
        return True
    except openai.APIError:
        return False


def test_nothing_is_served_free_while_the_ledger_is_away():
    with Site(models=("dummy",)) as site:
        key = site.create_key()
        with site.client(key) as client:
            ask(client)
            pid = site.service("ledger")
            send(pid, signal.SIGSTOP)
            asked_before = site.observed()["requests"]
            start = time.monotonic()
            with pytest.raises(openai.InternalServerError) as caught:
                ask(client)
            assert caught.value.status_code == 503
            assert time.monotonic() - start < ANSWERED_SECONDS
            assert "retry-after" in caught.value.response.headers
            assert site.observed()["requests"] == asked_before
            # A page waits in vain once, and the next are told at once.
            page = requests.get(f"{site.url}/login?next=/usage")
            assert "Balances are not available" in page.text
            assert '"the service does not answer"' in site.log_path.read_text()
            send(pid, signal.SIGCONT)
            wait_for("the next chat", lambda: answered(client))


def test_stopped_router_is_not_waited_for():
    with Site(models=("dummy",)) as site:
        key = site.create_key()
        with site.client(key, timeout=20) as client:
            ask(client)
            pid = site.service("router")
            send(pid, signal.SIGSTOP)
            start = time.monotonic()
            with pytest.raises(openai.InternalServerError) as caught:
                ask(client)
            assert caught.value.status_code == 503
            assert time.monotonic() - start < ANSWERED_SECONDS
            send(pid, signal.SIGCONT)
            wait_for("the next chat", lambda: answered(client))
        wait_for("the reservation to be voided", lambda: site.pool(key)["reserved"] == 0)


def test_one_router_of_two_is_killed():
    with Site(models=("dummy", "gap-50"), routers=2) as site:
        with site.client(site.create_key()) as client:
            send(site.services("router")[0], signal.SIGKILL)
            for _ in range(20):
                ask(client)
