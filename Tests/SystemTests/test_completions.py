"""`/v1/completions` and `/v1/embeddings` as the official client sees them, and what they are billed."""

import openai
import pytest

from chats import CANARY
from machine import wait_for

SITE = {"models": ("dummy", "tokens-20-at-0", "no-usage", "exact")}


@pytest.fixture(scope="module")
def text_client(client):
    return client.completions


def test_completion_has_openai_shape(text_client):
    answer = text_client.create(model="dummy", prompt=f"{CANARY}: one two")
    assert answer.object == "text_completion"
    assert answer.model == "dummy"
    assert f"{CANARY}: one two" in answer.choices[0].text
    assert answer.usage.prompt_tokens == 3


def test_a_list_of_prompts_is_answered_one_by_one(text_client):
    answer = text_client.create(model="dummy", prompt=[f"{CANARY} one", f"{CANARY} two"], n=2)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert "two" in answer.choices[3].text


def test_prompt_of_tokens(text_client):
    assert text_client.create(model="dummy", prompt=[1, 2, 3]).usage.prompt_tokens == 3


def test_stream_adds_up_to_the_whole_answer(text_client):
    events = list(text_client.create(model="dummy", prompt=CANARY, stream=True))
    assert {event.model for event in events} == {"dummy"}
    assert all(event.choices for event in events)
    text = "".join(event.choices[0].text for event in events)
    assert text == text_client.create(model="dummy", prompt=CANARY).choices[0].text


def test_usage_event_comes_only_when_asked_for(text_client):
    options = {"include_usage": True}
    events = list(text_client.create(model="dummy", prompt=CANARY, stream=True, stream_options=options))
    assert events[-1].choices == [] and events[-1].usage.completion_tokens > 0


def test_output_limit_is_always_sent_in_max_tokens(site, text_client):
    answer = text_client.create(model="tokens-20-at-0", prompt=CANARY, max_tokens=5)
    assert answer.usage.completion_tokens == 5
    text_client.create(model="dummy", prompt=CANARY)
    assert site.observed()["latest"][-1]["limit"] == 4096


def test_limit_of_the_chat_is_refused(text_client):
    with pytest.raises(openai.BadRequestError) as caught:
        text_client.create(model="dummy", prompt=CANARY, extra_body={"max_completion_tokens": 5})
    assert caught.value.param == "max_completion_tokens"


def test_what_is_reserved_holds_what_is_used(site):
    """The backend reports the most that Lumen reserves: prompts × n × limit and the bytes of the prompts."""
    key = site.create_key("frugal@example.edu")
    with site.client(key) as client:
        answer = client.completions.create(model="exact", prompt=["a b", "c"], n=2, max_tokens=10)
        vectors = client.embeddings.create(model="exact", input=["a b", "c"])
    assert answer.usage.completion_tokens == 40
    assert vectors.usage.prompt_tokens > 0
    events = wait_for("both usage events", lambda: len(found := site.events(key)) == 2 and found)
    assert events[1]["billed"] == answer.usage.total_tokens
    assert events[0]["billed"] == vectors.usage.total_tokens
    assert all(event["writtenOff"] == 0 for event in events)


def test_embeddings(client):
    vectors = client.embeddings.create(model="dummy", input=[f"{CANARY} one", "two"], encoding_format="float")
    assert vectors.object == "list"
    assert vectors.model == "dummy"
    assert [vector.index for vector in vectors.data] == [0, 1]
    assert vectors.usage.prompt_tokens == 3
    assert vectors.data[0].embedding != vectors.data[1].embedding


def test_usage_is_estimated_when_the_backend_reports_none(site):
    key = site.create_key("estimated@example.edu")
    with site.client(key) as client:
        client.completions.create(model="no-usage", prompt="x" * 398)
        client.embeddings.create(model="no-usage", input="x" * 398)
    embedding, completion = wait_for("both usage events", lambda: len(found := site.events(key)) == 2 and found)
    assert embedding["usage"]["isEstimated"] and completion["usage"]["isEstimated"]
    assert (embedding["usage"]["prompt"], embedding["usage"]["completion"]) == (100, 0)
    assert completion["usage"]["prompt"] == 100 and completion["usage"]["completion"] > 0
