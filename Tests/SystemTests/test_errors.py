"""Every error of `/v1` has OpenAI's shape, so that its client raises the exception that it documents."""

import http.client
import json

import openai
import pytest

from chats import CANARY, ask, asked

CLOSED_PORT_URL = "http://127.0.0.1:9/v1"

SITE = {
    "models": (
        "dummy",
        "forbidden",
        "error-500",
        "error-400",
        "error-401",
        "error-422",
        "rate-limited-7",
        "wrong-type",
        "garbage",
        "drop-after-0",
        "drop-after-3",
        {"name": "asleep", "remote": "slow-first-byte-20000"},
        {"name": "nowhere", "endpoints": [{"url": CLOSED_PORT_URL, "api_key": "x"}]},
    ),
    "changes": {
        "groups": {"default": {"forbidden": {"max": 0}}},
        "routing": {"first_byte_timeout": 1},
    },
}


def refused(kind, call, **attributes):
    """The exception that the call raises, checked for its class and attributes."""
    with pytest.raises(kind) as caught:
        call()
    for name, value in attributes.items():
        assert getattr(caught.value, name) == value, caught.value
    return caught.value


@pytest.mark.parametrize("wrong", ["sk-lumen-" + "x" * 43, "nonsense", "sk-lumen-"])
def test_unknown_key(site, wrong):
    with site.client(wrong) as client:
        refused(openai.AuthenticationError, lambda: ask(client), code="invalid_api_key", status_code=401)
        refused(openai.AuthenticationError, client.models.list, code="invalid_api_key")


def test_missing_key(site):
    status, body = site.get("/v1/models")
    assert status == 401
    assert json.loads(body)["error"]["code"] == "invalid_api_key"


def test_model_without_budget(client):
    refused(openai.PermissionDeniedError, lambda: ask(client, "forbidden"), code="model_not_allowed")
    assert "forbidden" not in [model.id for model in client.models.list()]


def test_unknown_model(client):
    refused(openai.NotFoundError, lambda: ask(client, "no/such"), code="model_not_found")
    refused(openai.NotFoundError, lambda: client.models.retrieve("no/such"), code="model_not_found")


def test_unknown_url(client):
    refused(openai.NotFoundError, lambda: client.get("/nonsense", cast_to=object), code="unknown_url")


def test_wrong_method(client):
    refused(openai.APIStatusError, lambda: client.get("/chat/completions", cast_to=object), status_code=405)


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"[]",
        b"{}",
        b'{"model": "dummy"}',
        b'{"messages": []}',
        b'{"model": 7, "messages": []}',
        b'{"model": "dummy", "messages": "text"}',
        b'{"model": "dummy", "messages": [{"role": "user", "content": "x"}], "max_tokens": -1}',
        b'{"model": "dummy", "messages": [{"role": "user", "content": "x"}], "max_tokens": "many"}',
        b'{"model": "dummy", "model": "forbidden", "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "dummy", "mod\\u0065l": "forbidden", "messages": [{"role": "user", "content": "x"}]}',
    ],
)
def test_malformed_request(site, key, body):
    status, reply = post(site, key, body)
    assert status == 400
    assert reply["error"]["type"] == "invalid_request_error"
    assert reply["error"]["message"]


def test_wrong_content_type(site, key):
    assert post(site, key, b"{}", content_type="text/plain")[0] == 415


def test_body_over_20_mib(client):
    text = CANARY * (21 * 2**20 // len(CANARY))
    refused(openai.APIStatusError, lambda: ask(client, "dummy", text), status_code=413, code="request_too_large")


def test_what_the_backend_refuses_is_passed_on(client):
    refused(openai.BadRequestError, lambda: ask(client, "error-400"))
    refused(openai.UnprocessableEntityError, lambda: ask(client, "error-422"))


@pytest.mark.parametrize("model", ["error-500", "error-401", "wrong-type", "garbage", "drop-after-0"])
def test_backend_at_fault(site, client, model):
    error = refused(openai.InternalServerError, lambda: ask(client, model), status_code=502, code="upstream_error")
    assert str(site.backend.url) not in str(error.body)


def test_every_endpoint_is_rate_limited(client):
    error = refused(openai.RateLimitError, lambda: ask(client, "rate-limited-7"), code="upstream_rate_limited")
    assert 1 <= int(error.response.headers["retry-after"]) <= 7


def test_no_endpoint_answers(client):
    def attempt():
        with pytest.raises(openai.InternalServerError) as caught:
            ask(client, "nowhere")
        return caught.value

    # The first requests may still try the endpoint; once it is out, nobody waits for it.
    errors = [attempt() for _ in range(5)]
    assert {error.code for error in errors} <= {"upstream_error", "no_healthy_endpoint"}
    assert errors[-1].status_code == 503
    assert "retry-after" in errors[-1].response.headers


def test_backend_is_too_slow(client):
    refused(openai.InternalServerError, lambda: ask(client, "asleep"), status_code=504, code="upstream_timeout")


def test_stream_that_breaks_off_ends_with_its_error(site, key, client):
    with pytest.raises(openai.APIError):
        list(ask(client, "drop-after-3", stream=True))
    lines = stream_lines(site, key, "drop-after-3")
    assert "error" in json.loads(lines[-2].removeprefix("data: "))
    assert lines[-1] == "data: [DONE]"


def test_stream_that_fails_before_its_first_byte_is_no_200(client):
    refused(openai.InternalServerError, lambda: ask(client, "error-500", stream=True))


def post(site, key: str, body: bytes, content_type: str = "application/json") -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", site.web_port, timeout=20)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": content_type}
    connection.request("POST", "/v1/chat/completions", body, headers)
    reply = connection.getresponse()
    content = json.loads(reply.read())
    connection.close()
    return reply.status, content


def stream_lines(site, key: str, model: str) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", site.web_port, timeout=20)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = json.dumps({**asked(model), "stream": True})
    connection.request("POST", "/v1/chat/completions", body, headers)
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return [line for line in lines if line]
