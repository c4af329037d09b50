"""Rate limit and budget: two different 429."""

import openai
import pytest

from chats import ask

SITE = {
    "models": ("dummy", "exact"),
    "changes": {
        "rate_limiting": {"limit": "3 per hour"},
        "groups": {"default": {"models": {"exact": {"max": 10}}}},
    },
}


def test_request_over_the_rate_limit(site):
    with site.client(site.create_key("hasty@example.edu")) as client:
        for _ in range(3):
            ask(client)
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client)
    assert caught.value.code == "rate_limit_exceeded"
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 3600
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_limit_holds_across_the_keys_of_a_user(site):
    keys = [site.create_key("many@example.edu", f"key {n}") for n in range(2)]
    with site.client(keys[0]) as first, site.client(keys[1]) as second:
        for _ in range(3):
            ask(first)
        with pytest.raises(openai.RateLimitError) as caught:
            ask(second)
    assert caught.value.code == "rate_limit_exceeded"


def test_request_over_the_budget(site):
    key = site.create_key("poor@example.edu")
    with site.client(key) as client, pytest.raises(openai.RateLimitError) as caught:
        ask(client, "exact", max_tokens=100)
    assert caught.value.code == "insufficient_quota"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.response.headers["x-lumen-limited-by"] == "user"
    assert site.pool(key, "exact")["balance"] == 10
    assert site.events(key) == []
