"""Backends by other people, each with habits of its own: no `/models`, no usage in a stream, a stream without a role."""

import subprocess
import sys

import pytest

from chats import ask
from lumen_site import Site
from machine import clean_environment, free_port, http_get, wait_for

FAKELLM = """
version: 1
rules:
  - {name: tool, when: {tools_include: look_up}, respond: {tool_calls: [{name: look_up, arguments: {q: "1"}}]}}
  - {name: teapot, when: {messages_contain: fail}, respond: {status: 429, error: "no more"}}
  - {name: hello, when: {messages_contain: hello}, respond: {content: "Hi there friend"}}
"""
STUBLLM = """
fixtures:
  - name: fail
    match: {provider: openai, messages: [{role: user, content: {contains: fail}}]}
    response: {content: "no more", http_status: 429, error_message: "no more"}
  - name: tool
    match: {provider: openai, tools_present: true}
    response:
      tool_calls: [{id: call_1, type: function, function: {name: look_up, arguments: '{"q": "1"}'}}]
  - name: hello
    match: {provider: openai}
    response:
      content: "Hi there friend"
      usage: {prompt_tokens: 3, completion_tokens: 3, total_tokens: 6}
"""
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


class OddBackend:
    """One of them as a child process."""

    def __init__(self, name: str, folder):
        self.port = free_port()
        configuration = folder / f"{name}.yaml"
        if name == "fakellm":
            configuration.write_text(FAKELLM)
            code = "from fakellm.cli import main; main()"
            arguments = ["serve", "--port", str(self.port), "--config", str(configuration)]
        else:
            configuration.write_text(STUBLLM)
            code = "from stubllm.cli import cli; cli()"
            arguments = ["serve", "--port", str(self.port), "--fixture-file", str(configuration)]
        self.log = (folder / f"{name}.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=clean_environment(),
        )
        wait_for(name, lambda: http_get(f"http://127.0.0.1:{self.port}/v1/models")[0] != 0, 30)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


NAMES = ("fakellm", "stubllm")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    backends = {name: OddBackend(name, folder) for name in NAMES}
    try:
        models = tuple(
            {"name": name, "endpoints": [{"url": f"http://127.0.0.1:{backend.port}/v1", "model": "gpt-4o"}]}
            for name, backend in backends.items()
        )
        with Site(models=models) as site:
            yield site
    finally:
        for backend in backends.values():
            backend.stop()


@pytest.mark.parametrize("name", NAMES)
def test_answer(client, name):
    answer = ask(client, name, "hello")
    assert answer.choices[0].message.content == "Hi there friend"
    assert answer.model == name


@pytest.mark.parametrize("name", NAMES)
def test_stream(site, name):
    key = site.create_key(f"{name}@example.edu")
    with site.client(key) as client:
        events = list(ask(client, name, "hello", stream=True))
    assert "".join(event.choices[0].delta.content or "" for event in events if event.choices) == "Hi there friend"
    assert {event.model for event in events} == {name}
    event = wait_for("the usage event", lambda: site.events(key))[0]
    assert event["usage"]["completion"] > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stream", [False, True])
def test_tools(client, name, stream):
    answer = ask(client, name, "look", tools=[TOOL], stream=stream)
    if stream:
        deltas = [call for event in answer if event.choices for call in event.choices[0].delta.tool_calls or []]
        assert deltas[0].function.name == "look_up"
        assert "".join(delta.function.arguments or "" for delta in deltas).replace(" ", "") == '{"q":"1"}'
    else:
        assert answer.choices[0].message.tool_calls[0].function.name == "look_up"


@pytest.mark.parametrize("name", NAMES)
def test_refusal_is_told_by_its_kind(client, name):
    with pytest.raises(Exception) as caught:
        ask(client, name, "fail")
    assert (caught.value.status_code, caught.value.code) == (429, "upstream_rate_limited")


def test_embeddings_of_stubllm(client):
    assert len(client.embeddings.create(model="stubllm", input=["a", "b"]).data) == 2
