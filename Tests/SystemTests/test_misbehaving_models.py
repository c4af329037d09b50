"""The echo backend's misbehaving models, streamed and whole: what a client sees of each, and what it is billed."""

import time

import openai
import pytest

from chats import ask, content_events
from machine import wait_for

SECONDS = 2
# Model, words of a stream that arrive before the error, its status, its code.
FAULTS = [
    ("slow-first-byte-20000", 0, 504, "upstream_timeout"),
    ("stall-after-0", 0, 504, "upstream_timeout"),
    ("stall-after-5", 5, 504, "upstream_timeout"),
    ("drop-after-0", 0, 502, "upstream_error"),
    ("drop-after-5", 5, 502, "upstream_error"),
    ("error-500", 0, 502, "upstream_error"),
    ("rate-limited-7", 0, 429, "upstream_rate_limited"),
    ("wrong-type", 0, 502, "upstream_error"),
    ("tokens-9-at-0+garbage", 9, 502, "upstream_error"),
]
SITE = {
    "models": (*(fault[0] for fault in FAULTS), "slow-first-byte-500", "tokens-20-at-20", "tokens-7-at-0+no-usage"),
    "changes": {"routing": {"first_byte_timeout": SECONDS, "idle_timeout": SECONDS}},
}


@pytest.mark.parametrize(("model", "words", "status", "code"), FAULTS)
def test_a_fault_in_a_stream(site, model, words, status, code):
    key = site.create_key(f"stream-{model}@example.edu")
    received = 0
    begin = time.monotonic()
    with site.client(key, timeout=20) as client, pytest.raises(openai.APIError) as caught:
        for _ in content_events(ask(client, model, stream=True)):
            received += 1
    assert time.monotonic() - begin < 10
    assert (received, caught.value.code) == (words, code)
    # A stream that has begun has its status.
    assert words > 0 or caught.value.status_code == status
    check_bill(site, key, words)


@pytest.mark.parametrize(("model", "words", "status", "code"), FAULTS)
def test_a_fault_in_a_whole_reply(site, model, words, status, code):
    key = site.create_key(f"whole-{model}@example.edu")
    with site.client(key, timeout=20) as client, pytest.raises(openai.APIStatusError) as caught:
        ask(client, model)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert status != 429 or 1 <= int(caught.value.response.headers["retry-after"]) <= 7
    check_bill(site, key, 0)


def check_bill(site, key: str, words: int) -> None:
    wait_for("the reservation to end", lambda: site.pool(key)["reserved"] == 0)
    completions = [event["usage"]["completion"] for event in site.events(key) if event.get("usage")]
    assert len(completions) == (1 if words else 0)
    assert sum(completions) >= words


@pytest.mark.parametrize("stream", [True, False])
def test_a_slow_start_is_waited_for(client, stream):
    begin = time.monotonic()
    answer = ask(client, "slow-first-byte-500", stream=stream)
    assert next(iter(content_events(answer))) if stream else answer.choices[0].message.content
    assert time.monotonic() - begin >= 0.5


def test_a_pace_is_kept(client):
    times = [time.monotonic() for _ in content_events(ask(client, "tokens-20-at-20", stream=True))]
    assert len(times) == 20
    # Nineteen gaps of 50 ms; nothing collects them.
    assert times[-1] - times[0] > 0.8


@pytest.mark.parametrize("stream", [True, False])
def test_what_reports_no_usage_is_billed_by_its_words(site, stream):
    key = site.create_key(f"no-usage-{stream}@example.edu")
    with site.client(key) as client:
        answer = ask(client, "tokens-7-at-0+no-usage", stream=stream)
        assert not stream or len(list(content_events(answer))) == 7
    [event] = wait_for("the bill", lambda: site.events(key))
    assert event["usage"]["isEstimated"] and event["usage"]["completion"] >= 7
