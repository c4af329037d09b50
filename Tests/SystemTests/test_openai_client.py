"""`/v1` as the official client sees it."""

import asyncio

from chats import CANARY, ask, asked, words_of

SITE = {"models": ("dummy", "tokens-20-at-0", "reasoning", "tools", "no-usage"), "routers": 2}


def test_a_fresh_key_works_at_once(site):
    with site.client(site.create_key("fresh@example.edu")) as client:
        assert CANARY in ask(client).choices[0].message.content


def test_answer_has_openai_shape(client):
    answer = ask(client, "dummy", f"{CANARY}: one two three")
    assert answer.object == "chat.completion"
    assert answer.model == "dummy"
    assert answer.choices[0].message.role == "assistant"
    assert f"{CANARY}: one two three" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 4
    assert answer.usage.completion_tokens == words_of(answer)


def test_text_of_any_script_comes_back_unchanged(client):
    text = f'{CANARY} "quoted" \\ back\u2028slash ☃ 𝒳 \u0000 \t'
    assert text in ask(client, "dummy", text).choices[0].message.content


def test_stream_adds_up_to_the_whole_answer(client):
    events = list(ask(client, stream=True))
    assert {event.model for event in events} == {"dummy"}
    text = "".join(event.choices[0].delta.content or "" for event in events)
    assert text == ask(client).choices[0].message.content
    assert events[-1].choices[0].finish_reason == "stop"


def test_usage_event_comes_only_when_asked_for(client):
    silent = list(ask(client, stream=True))
    assert all(event.usage is None and event.choices for event in silent)
    asked_for = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert asked_for[-1].choices == []
    assert asked_for[-1].usage.completion_tokens > 0


def test_async_client_runs_many_at_once(site, key):
    async def run():
        async with site.async_client(key) as client:
            return await asyncio.gather(*(client.chat.completions.create(**asked("dummy")) for _ in range(20)))

    answers = asyncio.run(run())
    assert len(answers) == 20
    assert all(CANARY in answer.choices[0].message.content for answer in answers)


def test_async_stream(site, key):
    async def run():
        async with site.async_client(key) as client:
            stream = await client.chat.completions.create(**asked("tokens-20-at-0"), stream=True)
            return [event async for event in stream]

    events = asyncio.run(run())
    assert sum(1 for event in events if event.choices[0].delta.content) == 20


def test_output_limit_is_kept(client):
    answer = ask(client, "tokens-20-at-0", max_tokens=5)
    assert answer.usage.completion_tokens == 5
    assert answer.choices[0].finish_reason == "length"
    answer = ask(client, "tokens-20-at-0", max_completion_tokens=7)
    assert answer.usage.completion_tokens == 7


def test_tool_calls_pass_through(client):
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    answer = ask(client, "tools", tools=[tool])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.tool_calls[0].function.name == "look_up"


def test_reasoning_passes_through(client):
    events = list(ask(client, "reasoning", stream=True))
    reasoning = "".join(getattr(event.choices[0].delta, "reasoning_content", None) or "" for event in events)
    assert "quoted" in reasoning


def test_backend_without_usage_is_no_error(client):
    assert CANARY in ask(client, "no-usage").choices[0].message.content


def test_models_are_listed(client):
    assert [model.id for model in client.models.list()] == list(SITE["models"])
    assert client.models.retrieve("reasoning").id == "reasoning"


def test_reply_names_the_request_and_the_limits(client):
    reply = client.chat.completions.with_raw_response.create(**asked("dummy"))
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.headers["x-ratelimit-limit-requests"] == "100000"
    assert int(reply.headers["x-ratelimit-remaining-requests"]) < 100000
    assert "x-ratelimit-reset-requests" in reply.headers


def test_stream_may_not_be_cached_or_buffered_by_a_proxy(client):
    with client.chat.completions.with_streaming_response.create(**asked("dummy"), stream=True) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-accel-buffering"] == "no"
        assert list(reply.iter_lines())[-2:] == ["data: [DONE]", ""]
