"""The official client through Lumen to llama.cpp's own server, with a model that knows words and no language.

llama.cpp has habits that no made-up backend has: a first event with a role and `content: null`, counts of its own, embeddings of
its own, an error of its own when the context is too small.
"""

import json
import subprocess
from pathlib import Path

import openai
import pytest

from lumen_site import Site
from machine import clean_environment, free_port, http_get, wait_for
from schemas import CHAT_CHUNK, CHAT_COMPLETION, COMPLETION, EMBEDDINGS, check

FOLDER = Path(__file__).parents[2] / "build" / "llama"
START_SECONDS = 60
ASK = [{"role": "user", "content": "what is the sum of the first numbers"}]
TOKENS = 12


class LlamaServer:
    """Runs from its creation until `stop`."""

    def __init__(self, log: Path, *options: str):
        self.port = free_port()
        command = [FOLDER / "llama-server", "--model", FOLDER / "tiny.gguf", "--port", str(self.port), *options]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--ctx-size", "512", "--parallel", "2", "--threads", "1", "--no-webui"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=clean_environment(),
            )
        wait_for("llama.cpp", lambda: http_get(f"http://127.0.0.1:{self.port}/health")[0] == 200, START_SECONDS)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    servers = {
        "tiny": LlamaServer(folder / "tiny.log"),
        "tiny/embedding": LlamaServer(folder / "embedding.log", "--embeddings", "--pooling", "mean"),
    }
    try:
        models = tuple(
            {"name": name, "endpoints": [{"url": f"http://127.0.0.1:{server.port}/v1", "model": "tiny"}]}
            for name, server in servers.items()
        )
        with Site(models=models) as site:
            yield site
    finally:
        for server in servers.values():
            server.stop()


@pytest.fixture(scope="module")
def client(site):
    with site.client(site.create_key()) as client:
        yield client


def chat(client, **options):
    return client.chat.completions.create(model="tiny", messages=ASK, max_tokens=TOKENS, temperature=0, **options)


def test_a_chat_fits_the_schema_and_is_counted(client):
    answer = chat(client)
    assert answer.model == "tiny"
    assert answer.choices[0].message.content.strip()
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert 0 < answer.usage.completion_tokens <= TOKENS
    assert answer.usage.prompt_tokens > 0


def test_a_stream_adds_up_to_the_whole_answer(client):
    events = list(chat(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    whole = chat(client)
    assert text == whole.choices[0].message.content
    assert {event.model for event in events} == {"tiny"}
    assert events[-1].choices == [] and events[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_chunks_and_replies_fit_the_schemas(client):
    answer = body(client.chat.completions.with_raw_response.create(model="tiny", messages=ASK, max_tokens=3))
    # llama.cpp leaves these out, and Lumen adds nothing to what a backend says.
    answer["choices"][0] = {"logprobs": None} | answer["choices"][0]
    answer["choices"][0]["message"] = {"refusal": None} | answer["choices"][0]["message"]
    check(answer, CHAT_COMPLETION)
    for event in chat(client, stream=True):
        check(event.model_dump(exclude_unset=True), CHAT_CHUNK)
    check(body(client.completions.with_raw_response.create(model="tiny", prompt="of the", max_tokens=3)), COMPLETION)
    embedding = client.embeddings.with_raw_response.create(model="tiny/embedding", input=["sum", "of"], encoding_format="float")
    check(body(embedding), EMBEDDINGS)


def body(reply) -> dict:
    return json.loads(reply.content)


def test_completions_stream(client):
    options = {"model": "tiny", "prompt": "the sum of", "max_tokens": TOKENS, "temperature": 0}
    text = "".join(event.choices[0].text for event in client.completions.create(**options, stream=True))
    assert text == client.completions.create(**options).choices[0].text


def test_embeddings_of_one_text_are_the_same(client):
    one, same, other = (
        client.embeddings.create(model="tiny/embedding", input=text).data[0].embedding for text in ("sum", "sum", "light")
    )
    assert one == same != other


def test_what_was_used_is_billed(site):
    key = site.create_key("payer@example.edu")
    with site.client(key) as client:
        usage = chat(client).usage
    event = site.events(key)[0]
    assert event["usage"]["isEstimated"] is False
    assert (event["usage"]["prompt"], event["usage"]["completion"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert event["writtenOff"] == 0


def test_a_prompt_beyond_the_context_is_the_client_s_error(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "sum " * 2000}], max_tokens=1)
    assert "context" in str(caught.value)
