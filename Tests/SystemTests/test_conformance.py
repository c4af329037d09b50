"""The official client on what backends can do: tools, structured output, vision, logprobs; every body byte for byte, every
reply and event by OpenAI's schemas. The backend says what it is told to, in the vendors' own words."""

import asyncio
import json

import openai
import pydantic
import pytest

from lumen_site import Site
from machine import wait_for
from raw_http import exchange
from schemas import CHAT_CHUNK, CHAT_COMPLETION, COMPLETION, EMBEDDINGS, ERROR, MODEL, MODELS, check
from scripted_backend import ScriptedBackend

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
LOGPROB = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": [{"token": "Hi", "logprob": -0.25, "bytes": [72, 105]}]}


def whole(message: dict, finish: str = "stop", **choice) -> dict:
    message = {"role": "assistant", "content": None, "refusal": None, **message}
    choices = [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None, **choice}]
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": USAGE}


def chunk(delta: dict, finish: str | None = None, **choice) -> dict:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}


def call(index: int, **members) -> dict:
    return {"tool_calls": [{"index": index, **members}]}


TOOL_CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Łódź"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
]
TOOL_EVENTS = [
    chunk({"role": "assistant", "content": None}),
    chunk(call(0, id="call_1", type="function", function={"name": "weather", "arguments": ""})),
    chunk(call(0, function={"arguments": '{"city":'})),
    chunk(call(0, function={"arguments": '"Łódź"}'})),
    chunk(call(1, id="call_2", type="function", function={"name": "time", "arguments": "{}"})),
    chunk({}, "tool_calls"),
    {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE},
]
# Odd spacing, escapes, numbers and members of a vendor's own: what is decoded and encoded again comes out changed.
VENDOR = (
    b'{ "id":"x","object":"chat.completion" ,"created":1.0e0,"model"\n:"m","vendor":{"model":"not mine","\\u0061":[1.50,-0]},'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"say \\"model\\":\\"m\\" \\/ \\ud83d\\ude00","refusal":null,'
    b'"reasoning_content":"hm"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,'
    b'"total_tokens":13,"prompt_tokens_details":{"cached_tokens":3}}}'
)
REPLIES = {
    "tools": lambda request: TOOL_EVENTS if request.get("stream") else whole({"tool_calls": TOOL_CALLS}, "tool_calls"),
    "structured": lambda request: (
        [chunk({"role": "assistant", "content": '{"name":"Ada",'}), chunk({"content": '"age":36}'}), chunk({}, "stop")]
        if request.get("stream")
        else whole({"content": '{"name":"Ada","age":36}'})
    ),
    "refusal": whole({"refusal": "I would rather not."}),
    "text": whole({"content": "Hi"}),
    "logprobs": lambda request: (
        [chunk({"content": "Hi"}, logprobs={"content": [LOGPROB], "refusal": None}), chunk({}, "stop")]
        if request.get("stream")
        else whole({"content": "Hi"}, logprobs={"content": [LOGPROB], "refusal": None})
    ),
    "vendor": VENDOR,
    "broken": [chunk({"content": "Hi"}), None],
    "sleepy": 3.0,
    "embedding": {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    },
    "completion": {
        "id": "x",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "text": "Hi", "logprobs": {"tokens": ["Hi"], "token_logprobs": [None]}, "finish_reason": "stop"}],
        "usage": USAGE,
    },
}
ASK = [{"role": "user", "content": "Hello"}]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "time")
]


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def backend():
    with ScriptedBackend(REPLIES) as backend:
        yield backend


@pytest.fixture(scope="module")
def site(backend):
    with Site(models=backend.models()) as site:
        yield site


def events_of(site, key, path, body) -> list[dict]:
    """The events of a stream, checked for its end."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    reply = exchange(site, "POST", path, headers, json.dumps({**body, "stream": True}).encode())
    text = reply.body.decode()
    # Chunked: the sizes stand on lines of their own.
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(event) for event in data[:-1]]


# Tools


def test_tool_calls(client):
    answer = client.chat.completions.create(model="public/tools", messages=ASK, tools=TOOLS)
    assert [call.model_dump() for call in answer.choices[0].message.tool_calls] == TOOL_CALLS
    assert answer.model == "public/tools"


def test_the_streaming_helper_puts_tool_calls_together(client):
    with client.chat.completions.stream(model="public/tools", messages=ASK, tools=TOOLS) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    calls = answer.choices[0].message.tool_calls
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in TOOL_CALLS
    ]


def test_a_conversation_with_a_tool_s_result_reaches_the_backend_as_it_is(client, backend):
    messages = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": TOOL_CALLS},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"model": "weather-7"}'},
    ]
    client.chat.completions.create(
        model="public/text", messages=messages, tools=TOOLS, tool_choice="auto", parallel_tool_calls=False
    )
    sent = backend.last()
    assert sent["messages"] == messages
    assert (sent["tools"], sent["tool_choice"], sent["parallel_tool_calls"]) == (TOOLS, "auto", False)
    assert sent["model"] == "text"


# Structured output


def test_parse(client, backend):
    answer = client.chat.completions.parse(model="public/structured", messages=ASK, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    assert backend.last()["response_format"]["json_schema"]["name"] == "Person"


def test_the_streaming_helper_parses(client):
    with client.chat.completions.stream(model="public/structured", messages=ASK, response_format=Person) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Person(name="Ada", age=36)


def test_refusal(client):
    message = client.chat.completions.parse(model="public/refusal", messages=ASK, response_format=Person).choices[0].message
    assert message.parsed is None and message.refusal == "I would rather not."


# Vision, logprobs


def test_vision_parts_reach_the_backend_as_they_are(client, backend):
    parts = [
        {"type": "text", "text": 'what is "model": "x"?'},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo=" * 100, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.edu/cat.png"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==" * 50, "format": "wav"}},
    ]
    client.chat.completions.create(model="public/text", messages=[{"role": "user", "content": parts}])
    assert backend.last()["messages"][0]["content"] == parts


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs(client, backend, stream):
    answer = client.chat.completions.create(
        model="public/logprobs", messages=ASK, logprobs=True, top_logprobs=1, stream=stream
    )
    first = next(iter(answer)) if stream else answer
    assert first.choices[0].logprobs.content[0].model_dump() == LOGPROB
    assert backend.last()["top_logprobs"] == 1


# Bytes


def test_a_reply_comes_byte_for_byte_but_for_the_model_s_name(client):
    reply = client.chat.completions.with_raw_response.create(model="public/vendor", messages=ASK)
    assert reply.content == VENDOR.replace(b'"model"\n:"m"', b'"model"\n:"public/vendor"')


def test_a_request_goes_byte_for_byte_but_for_model_and_limit(site, key, backend):
    rest = b'"vendor" : {"model":"x","n":1.50} ,"messages":[{"role":"user","content":"\\"model\\":\\u0022y\\u0022"}],"seed":7'
    body = b'{"model":"public/text",' + rest + b"}"
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    assert exchange(site, "POST", "/v1/chat/completions", headers, body).status == 200
    path, sent_headers, sent = backend.requests[-1]
    # White space between two members is nobody's.
    pieces = [b'"vendor" : {"model":"x","n":1.50}', b'"messages":[{"role":"user","content":"\\"model\\":\\u0022y\\u0022"}]', b'"seed":7']
    assert all(piece in sent for piece in pieces)
    assert list(json.loads(sent)) == ["model", "max_tokens", "vendor", "messages", "seed"]
    assert key not in str(sent_headers) + sent.decode() and "backend-key-0123456789" in str(sent_headers)


# Schemas


@pytest.mark.parametrize("model", ["tools", "structured", "refusal", "text", "logprobs", "vendor"])
def test_chat_completions_fit_the_schema(site, client, model):
    reply = client.chat.completions.with_raw_response.create(model=f"public/{model}", messages=ASK)
    body = json.loads(reply.content)
    body["created"] = int(body["created"])
    check(body, CHAT_COMPLETION)


@pytest.mark.parametrize("model", ["tools", "structured", "logprobs"])
@pytest.mark.parametrize("usage", [False, True])
def test_chunks_fit_the_schema(site, key, model, usage):
    body = {"model": f"public/{model}", "messages": ASK, "stream_options": {"include_usage": usage}}
    events = events_of(site, key, "/v1/chat/completions", body)
    for event in events:
        check(event, CHAT_CHUNK)
        assert event["model"] == f"public/{model}"
    assert any(not event["choices"] for event in events) == (usage and model == "tools")


def test_other_replies_fit_their_schemas(client):
    def body(reply):
        return json.loads(reply.content)

    check(body(client.completions.with_raw_response.create(model="public/completion", prompt="x")), COMPLETION)
    check(body(client.embeddings.with_raw_response.create(model="public/embedding", input="x", encoding_format="float")), EMBEDDINGS)
    check(body(client.models.with_raw_response.list()), MODELS)
    check(body(client.models.with_raw_response.retrieve("public/text")), MODEL)


def test_a_stream_that_breaks_off_ends_with_an_error_that_fits(site, key):
    events = events_of(site, key, "/v1/chat/completions", {"model": "public/broken", "messages": ASK})
    check(events[-1], ERROR)
    for event in events[:-1]:
        check(event, CHAT_CHUNK)


# The client's own time-outs and retries


def test_a_client_s_time_out_stops_the_request(site, backend):
    key = site.create_key("hasty@example.edu")
    with site.client(key, timeout=0.3) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="public/sleepy", messages=ASK)
    event = wait_for("the usage event", lambda: site.events(key))[0]
    assert event["usage"]["outcome"] == "cancelled"


def test_a_client_s_own_retries_come_through(site, backend):
    usual = backend.replies["text"]
    answers = iter([500, 503, whole({"content": "at last"})])
    backend.replies["text"] = lambda _: next(answers)
    try:
        with site.client(site.create_key("stubborn@example.edu"), max_retries=4) as client:
            answer = client.chat.completions.create(model="public/text", messages=ASK)
        assert answer.choices[0].message.content == "at last"
    finally:
        backend.replies["text"] = usual


def test_the_async_client_s_streaming_helper(site, key):
    async def run():
        async with site.async_client(key) as client:
            async with client.chat.completions.stream(model="public/structured", messages=ASK) as stream:
                return [event.delta async for event in stream if event.type == "content.delta"]

    assert "".join(asyncio.run(run())) == '{"name":"Ada","age":36}'
