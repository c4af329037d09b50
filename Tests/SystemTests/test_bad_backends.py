"""Backends that are wrong below HTTP, byte by byte: a client sees a whole answer or a clear error, never a hang."""

import gzip
import json
import random
import socket
import struct
import time

import openai
import pytest

from lumen_site import Site
from raw_backend import CHUNKED, DONE, GOOD, HEAD, RawBackend, chunked, event, good, hang, sse

MESSAGES = [{"role": "user", "content": "hi"}]
BIG = 10 << 20


@pytest.fixture(scope="module")
def site():
    """One model for each script."""
    backends = {name: RawBackend(script) for name, script in SCRIPTS.items()}
    for backend in backends.values():
        backend.__enter__()
    models = [
        {"name": name, "endpoints": [{"url": backend.url, "first_byte_timeout": 3, "idle_timeout": 3}]}
        for name, backend in backends.items()
    ]
    with Site(models=tuple(models)) as site:
        site.backends = backends
        yield site
    for backend in backends.values():
        backend.__exit__()


def one_byte_writes(connection, _):
    for byte in CHUNKED + chunked(GOOD):
        connection.sendall(bytes([byte]))
    return True


def split_somewhere(connection, number):
    """Another place for each request: over all of them, between any two bytes."""
    connection.sendall(HEAD + b"Connection: close\r\n\r\n" + GOOD[: number % len(GOOD)])
    time.sleep(0.003)
    connection.sendall(GOOD[number % len(GOOD) :])


def trailers(connection, _):
    connection.sendall(CHUNKED + chunked(GOOD, b"X-Checksum: 1\r\nX-Other: 2\r\n"))
    return True


def continues(connection, _):
    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    return good(connection)


def big_event(connection, _):
    connection.sendall(CHUNKED + chunked(sse(event("x" * BIG), event(finish="stop"), DONE)))
    return True


def too_big_event(connection, _):
    connection.sendall(CHUNKED + chunked(sse(event("x" * (17 << 20)), DONE)))


def invalid_utf8(connection, _):
    bad = event("@@").encode().replace(b"@@", b"\xff\xfe")
    connection.sendall(CHUNKED + chunked(b"data: " + bad + b"\n\n" + GOOD))
    return True


def compressed(connection, _):
    data = gzip.compress(GOOD)
    connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
    return True


def closes_at_random(connection, _):
    good(connection)
    return random.random() < 0.6


def half_open(connection, _):
    """The head, one event, and nothing more, not even an end."""
    connection.sendall(CHUNKED + b"%x\r\n%s\r\n" % (len(sse(event("Hello"))), sse(event("Hello"))))
    return hang(connection)


def cut_in_a_chunk(connection, _):
    connection.sendall(CHUNKED + b"ffff\r\n" + sse(event("Hello")))


def closes_instead(connection, number):
    """Every other request finds that the backend has just closed the connection that it kept."""
    return good(connection) if number % 2 == 0 else False


def resets(connection, _):
    """With a RST, in the middle of an event."""
    connection.sendall(CHUNKED + b"%x\r\n%s" % (len(GOOD), GOOD[: GOOD.index(b" world")]))
    time.sleep(0.1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def not_http(connection, _):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def whole(body: bytes, fields: bytes = b"", sends: int | None = None, pieces: int = 1 << 20):
    """A script for a reply that is no stream, of which only the first so many bytes are sent, in pieces of this size."""

    def script(connection, _):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
        data = head % (fields, len(body)) + body[:sends]
        for start in range(0, len(data), pieces):
            connection.sendall(data[start : start + pieces])
        return sends is None

    return script


def reply(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"id": "1", "object": "chat.completion", "model": "remote", "choices": [choice]}).encode()


HELLO = reply("Hello world")
CHUNKS = b"".join(b"1\r\n%c\r\n" % byte for byte in HELLO)
WHOLE = {
    "whole_one_byte_writes": whole(HELLO, pieces=1),
    "whole_big": whole(reply("x" * BIG)),
    "whole_too_big": whole(reply("x" * (25 << 20))),
    "whole_compressed": whole(gzip.compress(HELLO), b"Content-Encoding: gzip\r\n"),
    "whole_invalid_utf8": whole(reply("@").replace(b"@", b"\xff")),
    "whole_cut": whole(HELLO, sends=20),
    "whole_in_chunks": lambda connection, _: (
        connection.sendall(HEAD.replace(b"text/event-stream", b"application/json"))
        or connection.sendall(b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"0\r\nX-Sum: 1\r\n\r\n")
        or True
    ),
}
SCRIPTS = {
    script.__name__: script
    for script in [
        one_byte_writes, split_somewhere, trailers, continues, big_event, too_big_event, invalid_utf8, compressed,
        closes_at_random, closes_instead, half_open, cut_in_a_chunk, resets, not_http, hang,
    ]
} | WHOLE  # fmt: skip


def text(client: openai.OpenAI, model: str) -> str:
    stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    return "".join(one.choices[0].delta.content or "" for one in stream if one.choices)


@pytest.mark.parametrize("model", ["one_byte_writes", "trailers", "continues"])
def test_odd_but_right_is_relayed(client, model):
    assert text(client, model) == "Hello world"


def test_events_may_be_split_at_every_byte(client):
    for _ in range(len(GOOD)):
        assert text(client, "split_somewhere") == "Hello world"


def test_an_event_of_ten_megabytes_is_relayed(client):
    assert len(text(client, "big_event")) == BIG


def test_connections_that_close_at_random_are_not_noticed(client, site):
    for _ in range(60):
        assert text(client, "closes_at_random") == "Hello world"
    backend = site.backends["closes_at_random"]
    # Kept alive where the backend lets them live.
    assert 60 <= backend.requests < 70
    assert backend.connections < 60


def test_a_kept_connection_that_was_closed_is_not_noticed(client, site):
    for _ in range(20):
        assert text(client, "closes_instead") == "Hello world"
    # Each that found its connection closed was sent once more, on a new one.
    assert site.backends["closes_instead"].requests > 30


@pytest.mark.parametrize("model", ["whole_one_byte_writes", "whole_in_chunks", "whole_big"])
def test_a_whole_reply_may_come_in_any_pieces(client, model):
    answer = client.chat.completions.create(model=model, messages=MESSAGES)
    assert answer.choices[0].message.content == ("x" * BIG if model == "whole_big" else "Hello world")


@pytest.mark.parametrize("model", ["whole_too_big", "whole_compressed", "whole_invalid_utf8", "whole_cut"])
def test_a_wrong_whole_reply_is_the_backends_error(client, model):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_error")


@pytest.mark.parametrize("model", ["too_big_event", "invalid_utf8", "compressed", "not_http"])
def test_a_wrong_answer_is_the_backends_error(client, model):
    with pytest.raises(openai.InternalServerError) as caught:
        text(client, model)
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_error"
    assert "127.0.0.1" not in json.dumps(caught.value.body)


def test_silence_is_a_timeout(client):
    with pytest.raises(openai.APIStatusError) as caught:
        text(client, "hang")
    assert caught.value.status_code == 504


@pytest.mark.parametrize("model", ["half_open", "cut_in_a_chunk", "resets"])
def test_a_stream_that_breaks_ends_with_an_error_event(client, model):
    received = []
    start = time.monotonic()
    with pytest.raises(openai.APIError):
        for one in client.chat.completions.create(model=model, messages=MESSAGES, stream=True):
            received.append(one.choices[0].delta.content)
    assert received == ["Hello"]
    assert time.monotonic() - start < 10
