"""What the echo backend says through `/v1`, whole and as a stream, by OpenAI's schemas."""

import json

import pytest

from raw_http import exchange
from schemas import CHAT_CHUNK, CHAT_COMPLETION, COMPLETION, EMBEDDINGS, check

SITE = {"models": ("dummy", "tools", "reasoning", "no-usage", "tokens-20-at-0")}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
CHAT = {"messages": [{"role": "user", "content": "x"}], "tools": [TOOL], "n": 2}


def send(site, key, path: str, body: dict) -> str:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    reply = exchange(site, "POST", path, headers, json.dumps(body).encode())
    assert reply.status == 200, reply.body
    return reply.body.decode()


def events(text: str) -> list[dict]:
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(event) for event in data[:-1]]


@pytest.mark.parametrize("model", SITE["models"])
@pytest.mark.parametrize("usage", [False, True])
def test_chat(site, key, model, usage):
    check(json.loads(send(site, key, "/v1/chat/completions", {"model": model, **CHAT})), CHAT_COMPLETION)
    stream = {"stream": True, "stream_options": {"include_usage": usage}}
    for event in events(send(site, key, "/v1/chat/completions", {"model": model, **CHAT, **stream})):
        check(event, CHAT_CHUNK)
        assert event["model"] == model


@pytest.mark.parametrize("model", ["dummy", "no-usage", "tokens-20-at-0"])
def test_completions_and_embeddings(site, key, model):
    body = {"model": model, "prompt": ["x", "y"]}
    check(json.loads(send(site, key, "/v1/completions", body)), COMPLETION)
    for event in events(send(site, key, "/v1/completions", {**body, "stream": True})):
        check(event, COMPLETION)
    if model != "no-usage":
        check(json.loads(send(site, key, "/v1/embeddings", {"model": model, "input": ["x", "y"]})), EMBEDDINGS)
