"""Every row of the table of errors that `/v1` promises, in one walk: status, code, shape and headers."""

import json
import os
import signal
import sqlite3
import time

import pytest

from lumen_site import Site
from machine import wait_for
from raw_http import exchange
from schemas import ERROR, check

SITE = {
    "models": (
        "dummy",
        "forbidden",
        "poor",
        *(f"error-{status}" for status in (400, 401, 403, 404, 405, 407, 413, 415, 422, 500)),
        "rate-limited-7",
        "garbage",
        {"name": "asleep", "remote": "slow-first-byte-20000"},
        {"name": "nowhere", "endpoints": [{"url": "http://127.0.0.1:9/v1"}]},
    ),
    "changes": {
        "groups": {"default": {"models": {"forbidden": {"max": 0}, "poor": {"max": 10}}}},
        "routing": {"first_byte_timeout": 2},
    },
}
CHAT = "/v1/chat/completions"
OPERATIONS = {
    CHAT: {"messages": [{"role": "user", "content": "x"}]},
    "/v1/completions": {"prompt": "x"},
    "/v1/embeddings": {"input": "x"},
}


@pytest.fixture
def walk(site, key):
    """Sends a request and checks what every error must have; the reply."""

    def step(status, code, path=CHAT, body=b"", method="POST", headers=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **(headers or {})}
        reply = exchange(site, method, path, {name: value for name, value in fields.items() if value}, body)
        assert reply.status == status, reply.body
        check(reply.json(), ERROR)
        if code:
            assert reply.json()["error"]["code"] == code, reply.body
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["x-request-id"].startswith("req_")
        assert "127.0.0.1" not in reply.body.decode() and "backend-key" not in reply.body.decode()
        return reply

    return step


def asked(model, path=CHAT, **members):
    return {"model": model, **OPERATIONS[path], **members}


def test_errors_of_the_request(walk):
    for path, members in OPERATIONS.items():
        subject = next(iter(members))
        for body in (b"", b"no JSON", b"[]", b"{}", b"\xff", b'{"model":"dummy"', b'{"model":7}'):
            assert walk(400, None, path, body).json()["error"]["type"] == "invalid_request_error"
        for wrong in (None, 7, [], {}, True):
            reply = walk(400, None, path, asked("dummy", path, **{subject: wrong}))
            assert reply.json()["error"]["param"] == subject
        assert walk(400, None, path, members).json()["error"]["param"] == "model"
        twice = b'{"model":"dummy","mod\\u0065l":"forbidden",' + json.dumps(members).encode()[1:]
        assert walk(400, None, path, twice).json()["error"]["param"] == "model"
        for header in ({"Content-Type": "text/plain"}, {"Content-Type": "application/jsonx"}, {"Content-Encoding": "gzip"}):
            walk(415, "unsupported_media_type", path, asked("dummy", path), headers=header)
        walk(413, "request_too_large", path, b" " * (20 << 20) + b" {}")
        walk(405, "method_not_allowed", path, method="GET")
        walk(400, "invalid_idempotency_key", path, asked("dummy", path), headers={"Idempotency-Key": "two words"})


def test_errors_of_the_caller(walk, site):
    for path in OPERATIONS:
        for header in (None, "Bearer", "Bearer ", "Bearer nonsense", "Basic eDp4", "Bearer sk-lumen-" + "x" * 43):
            walk(401, "invalid_api_key", path, asked("dummy", path), headers={"Authorization": header})
        walk(403, "model_not_allowed", path, asked("forbidden", path))
        walk(404, "model_not_found", path, asked("no/such", path))
    walk(404, "model_not_found", "/v1/models/no/such", method="GET")
    for path in ("/v1", "/v1/", "/v1/nonsense", "/v1/chat", "/v1/models/", "/v1/chat/completions/"):
        walk(404, "unknown_url", path, method="GET")
    reply = walk(429, "insufficient_quota", body=asked("poor", max_tokens=100))
    assert reply.headers["x-should-retry"] == "false" and reply.headers["x-lumen-limited-by"] == "user"


def test_a_disabled_account(walk, site):
    key = site.create_key("gone@example.edu")
    with sqlite3.connect(site.folder / "lumen.auth.db", timeout=10) as database:
        changed = database.execute("UPDATE users SET disabled = 1 WHERE email = 'gone@example.edu'").rowcount
    assert changed == 1
    walk(403, "account_disabled", body=asked("dummy"), headers={"Authorization": f"Bearer {key}"})


def test_errors_of_the_backend(walk):
    for path in OPERATIONS:
        for status in (400, 413, 415, 422):
            walk(status, None, path, asked(f"error-{status}", path))
        for model in ("error-401", "error-403", "error-404", "error-405", "error-407", "error-500", "garbage"):
            # Three of these in a row put the endpoint out for a while.
            wait_for(f"{model} to be tried", lambda: attempt(walk, model, path))
        reply = walk(429, "upstream_rate_limited", path, asked("rate-limited-7", path))
        assert 1 <= int(reply.headers["retry-after"]) <= 7
    walk(504, "upstream_timeout", body=asked("asleep"))
    # The first requests still try it.
    wait_for("the endpoint to be out", lambda: attempt(walk, "nowhere", CHAT, 503, "no_healthy_endpoint"))


def attempt(walk, model, path, status=502, code="upstream_error") -> bool:
    """Whether it was this one of the two errors that an endpoint at fault has."""
    try:
        reply = walk(status, code, path, asked(model, path))
        assert status != 503 or int(reply.headers["retry-after"]) > 0
        return True
    except AssertionError as error:
        assert "no_healthy_endpoint" in str(error) or "upstream_error" in str(error)
        time.sleep(0.2)
        return False


def test_errors_of_idempotency_keys(walk, site, key):
    one = {"Idempotency-Key": "one"}
    fields = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **one}
    body = json.dumps(asked("dummy", stream=True)).encode()
    assert exchange(site, "POST", CHAT, fields, body).status == 200
    walk(409, "idempotency_not_replayable", body=body, headers=one)
    walk(422, "idempotency_key_reused", body=asked("dummy"), headers=one)


def test_a_service_that_does_not_answer(walk, site):
    ledger = site.service("ledger")
    os.kill(ledger, signal.SIGSTOP)
    try:
        replies = [walk(503, "service_unavailable", "/v1/models", method="GET")]
        replies.append(walk(503, "service_unavailable", body=asked("dummy")))
        assert all(int(reply.headers["retry-after"]) > 0 for reply in replies)
    finally:
        os.kill(ledger, signal.SIGCONT)


def test_the_rate_limit(walk):
    with Site(changes={"rate_limiting": {"limit": "1 per hour"}}) as site:
        headers = {"Authorization": f"Bearer {site.create_key()}"}
        assert exchange(site, "GET", "/v1/models", headers).status == 200
        reply = exchange(site, "GET", "/v1/models", headers)
    check(reply.json(), ERROR)
    assert (reply.status, reply.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert reply.headers["x-ratelimit-remaining-requests"] == "0" and int(reply.headers["retry-after"]) > 0
