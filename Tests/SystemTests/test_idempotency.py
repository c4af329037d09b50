"""A repeat under the same `Idempotency-Key` does not run and is not billed again."""

import concurrent.futures
import signal
import uuid

import openai
import pytest

from chats import ask, asked
from lumen_site import Site
from machine import send, wait_for
from postgres import Postgres
from scripted_backend import ScriptedBackend

SITE = {
    "models": (
        "dummy",
        "error-500",
        "gap-50",
        {"name": "slow", "remote": "slow-first-byte-1000"},
        # So slow that on a busy machine, too, all come while the first runs.
        {"name": "slower", "remote": "slow-first-byte-3000"},
    )
}


@pytest.fixture
def fresh():
    """Options that name a key of its own."""
    return {"extra_headers": {"Idempotency-Key": str(uuid.uuid4())}}


def raw(client, options, model="dummy", text=None):
    return client.chat.completions.with_raw_response.create(**asked(model, text), **options)


def attempt(client, options) -> str:
    """`ran`, `true` for a reply that was sent again, or the code of a conflict."""
    try:
        return raw(client, options, "slower").headers.get("idempotent-replayed", "ran")
    except openai.ConflictError as error:
        assert error.code == "idempotency_in_progress"
        assert error.response.headers["retry-after"] == "1"
        return error.code


def test_a_repeat_gets_the_same_bytes_and_costs_nothing(site, fresh):
    key = site.create_key("careful@example.edu")
    with site.client(key) as client:
        before = site.observed()["requests"]
        first, second = raw(client, fresh), raw(client, fresh)
    assert second.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert site.observed()["requests"] == before + 1
    assert len(site.events(key)) == 1


def test_another_request_under_the_same_key(client, fresh):
    ask(client, **fresh)
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        ask(client, text="something else", **fresh)
    assert caught.value.code == "idempotency_key_reused"
    with pytest.raises(openai.UnprocessableEntityError):
        client.embeddings.create(model="dummy", input="x", **fresh)


def test_keys_of_other_people_are_other_keys(site, client, fresh):
    ask(client, **fresh)
    with site.client(site.create_key("other@example.edu")) as other:
        assert "idempotent-replayed" not in raw(other, fresh).headers


def test_of_many_at_once_one_runs(site, fresh):
    key = site.create_key("hurried@example.edu")
    with site.client(key) as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: attempt(client, fresh), range(8)))
        assert outcomes.count("ran") == 1 and outcomes.count("idempotency_in_progress") == 7
        assert attempt(client, fresh) == "true"
    assert len(site.events(key)) == 1


def test_the_client_s_own_retries_wait_for_the_first(site, fresh):
    """`openai` repeats a 409 by itself; in the end it has the one answer."""
    with site.client(site.create_key("patient@example.edu"), max_retries=4) as client:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda _: ask(client, "slow", **fresh), range(2)))
    assert answers[0] == answers[1]


def test_a_finished_stream_cannot_be_sent_again(client, fresh):
    list(ask(client, stream=True, **fresh))
    with pytest.raises(openai.ConflictError) as caught:
        ask(client, stream=True, **fresh)
    assert caught.value.code == "idempotency_not_replayable"
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_what_was_not_billed_may_be_made_again(site, client, fresh):
    for _ in range(2):
        with pytest.raises(openai.InternalServerError) as caught:
            ask(client, "error-500", **fresh)
        assert caught.value.code == "upstream_error"
    # The key is free, for another request, too.
    ask(client, **fresh)


def test_a_client_that_left_is_billed_once_and_told_so(site, fresh):
    key = site.create_key("gone@example.edu")
    with site.client(key) as client:
        stream = ask(client, "gap-50", stream=True, **fresh)
        next(iter(stream))
        stream.response.close()
        wait_for("the usage event", lambda: site.events(key))
        with pytest.raises(openai.ConflictError) as caught:
            ask(client, "gap-50", stream=True, **fresh)
    assert caught.value.code == "idempotency_not_replayable"
    assert len(site.events(key)) == 1


def test_what_was_billed_without_an_answer_is_billed_once(fresh):
    """A backend that counts tokens and breaks off; the client repeats by itself."""
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    counted = {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": usage}
    with ScriptedBackend({"counts": [counted, None]}) as backend:
        models = ({"name": "counts", "endpoints": [{"url": backend.url, "api_key": "k"}]},)
        with Site(models=models) as site:
            key = site.create_key()
            with site.client(key, max_retries=2) as client:
                for options in ({}, {"stream": True}):
                    with pytest.raises(openai.APIError):
                        list(ask(client, "counts", **options, **fresh))
            assert [event["billed"] for event in site.events(key)] == [12]


def test_of_two_webs_one_runs_it(fresh):
    with Postgres() as server:
        changes = {"app": {"database_url": server.create_database()}}
        with Site(changes, models=SITE["models"]) as one, Site(changes, models=SITE["models"]) as other:
            key = one.create_key()
            with one.client(key) as here, other.client(key) as there, concurrent.futures.ThreadPoolExecutor(2) as pool:
                outcomes = sorted(pool.map(lambda client: attempt(client, fresh), [here, there]))
                assert outcomes == ["idempotency_in_progress", "ran"]
                assert raw(here, fresh, "slower").content == raw(there, fresh, "slower").content
            assert len(one.events(key)) == 1


def test_what_a_killed_web_ran_is_not_run_again(fresh):
    with Site(models=("gap-50", "dummy")) as site:
        key = site.create_key()
        with site.client(key) as client:
            finished = {"extra_headers": {"Idempotency-Key": str(uuid.uuid4())}}
            first = raw(client, finished)
            stream = ask(client, "gap-50", stream=True, **fresh)
            next(iter(stream))
            old = site.service("web")
            send(old, signal.SIGKILL)
            wait_for("the restart", lambda: set(site.services("web")) - {old})
            site.wait_until_ready()
            with pytest.raises(openai.ConflictError) as caught:
                ask(client, "gap-50", stream=True, **fresh)
            assert caught.value.code == "idempotency_not_replayable"
            again = raw(client, finished)
        assert (again.headers["idempotent-replayed"], again.content) == ("true", first.content)


def test_malformed_key(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, extra_headers={"Idempotency-Key": "k" * 256})
    assert caught.value.code == "invalid_idempotency_key"
