"""Steady load: clients that ask one request after the other, some of which hang up, and what each of them saw."""

import asyncio
import json
import random
import time
from dataclasses import dataclass

# Tokens a second of the streams, and how long the longest takes.
RATE = 25
LONGEST = 200
# Model, whether it streams, how often it is asked for.
KINDS = [
    ("dummy", False, 8),
    ("dummy", True, 3),
    (f"tokens-40-at-{RATE}", True, 3),
    (f"tokens-{LONGEST}-at-{RATE}", True, 3),
    (f"tokens-10-at-{RATE}", False, 2),
    (f"tokens-30-at-{RATE}+no-usage", True, 1),
]
MODELS = tuple(sorted({model for model, _, _ in KINDS}))
# The share of streams that their clients leave.
CUT_SHARE = 0.25
# Whatever happens, a client knows by then: 8 s of a stream, 4 s for a reserve, 2 s for the end, and a slow machine.
LONGEST_SECONDS = 40
PAUSE_SECONDS = (0.0, 0.15)
# After a refusal, so that refusals are not most of the load.
SULK_SECONDS = (1.0, 2.5)
# Between two attempts to reach a web that is being started again.
KNOCK_SECONDS = 0.1


@dataclass
class Sent:
    """One request, as its client saw it."""

    name: str
    slot: int
    model: str
    is_stream: bool
    started_ms: float
    ended_ms: float = 0
    status: int = 0
    code: str | None = None
    request: str | None = None
    limited_by: str | None = None
    # Content events that were read.
    events: int = 0
    usage: dict | None = None
    # To its proper end, with no error in it.
    is_whole: bool = False
    was_cut: bool = False
    is_hung: bool = False
    problem: str | None = None


@dataclass
class Ask:
    """What a client does next."""

    name: str
    model: str
    is_stream: bool
    cut_after: int | None
    limit: int | None
    words: int = 3
    text: str | None = None

    def body(self) -> bytes:
        text = self.text or " ".join(["canary-quetzalcoatl"] + ["word"] * self.words)
        body = {"model": self.model, "user": self.name, "messages": [{"role": "user", "content": text}]}
        if self.is_stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.limit:
            body["max_tokens"] = self.limit
        return json.dumps(body).encode()


class Load:
    """Clients on an event loop; one for each key, so that its requests follow one another."""

    def __init__(self, port: int, keys: list[str], seed: int):
        self.port, self.keys, self.seed = port, keys, seed
        self.sent: list[Sent] = []
        # Connections that nobody took. They are no requests: there was nobody who could lose them.
        self.refused_connections = 0
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        await asyncio.gather(*(self.client(slot) for slot in range(len(self.keys))))

    def stop(self) -> None:
        self.stopping.set()

    async def client(self, slot: int) -> None:
        rng = random.Random(f"{self.seed}/{slot}")
        ask = next_ask(rng, f"{slot}-1")
        count = 1
        while not self.stopping.is_set():
            sent = await send_one(self.port, self.keys[slot], slot, ask)
            if sent.problem == ConnectionRefusedError.__name__:
                self.refused_connections += 1
                await asyncio.sleep(KNOCK_SECONDS)
                continue
            self.sent.append(sent)
            count += 1
            ask = next_ask(rng, f"{slot}-{count}")
            await asyncio.sleep(rng.uniform(*(PAUSE_SECONDS if sent.status == 200 else SULK_SECONDS)))


def next_ask(rng: random.Random, name: str) -> Ask:
    model, is_stream, _ = rng.choices(KINDS, [kind[2] for kind in KINDS])[0]
    cut_after = rng.randrange(0, 30) if is_stream and rng.random() < CUT_SHARE else None
    return Ask(name, model, is_stream, cut_after, rng.choice([None, 50, 250]), rng.randrange(0, 40))


async def send_one(port: int, key: str, slot: int, ask: Ask, longest_seconds: float = LONGEST_SECONDS) -> Sent:
    sent = Sent(ask.name, slot, ask.model, ask.is_stream, time.time() * 1000)
    try:
        async with asyncio.timeout(longest_seconds):
            await exchange(port, key, ask, sent)
    except TimeoutError:
        sent.is_hung = True
    except (OSError, EOFError, asyncio.IncompleteReadError) as error:
        sent.problem = type(error).__name__
    sent.ended_ms = time.time() * 1000
    return sent


async def exchange(port: int, key: str, ask: Ask, sent: Sent) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        body = ask.body()
        writer.write(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        sent.status = int(lines[0].split()[1])
        sent.request = headers.get("x-request-id")
        sent.limited_by = headers.get("x-lumen-limited-by")
        if sent.status == 200 and ask.is_stream:
            await read_stream(reader, ask, sent)
        else:
            read_whole(await body_of(reader, headers), sent)
    finally:
        # At once, as a process does that ends.
        writer.transport.abort()


async def chunks(reader: asyncio.StreamReader):
    """The pieces of a chunked body; ends after the last one was announced, raises when it breaks off."""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")


async def body_of(reader: asyncio.StreamReader, headers: dict) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return b"".join([piece async for piece in chunks(reader)])


def read_whole(body: bytes, sent: Sent) -> None:
    reply = json.loads(body)
    if sent.status != 200:
        sent.code = reply["error"]["code"]
        return
    sent.usage = reply.get("usage")
    sent.is_whole = True


async def read_stream(reader: asyncio.StreamReader, ask: Ask, sent: Sent) -> None:
    if ask.cut_after == 0:
        sent.was_cut = True
        return
    rest, is_done = b"", False
    async for piece in chunks(reader):
        *events, rest = (rest + piece).split(b"\n\n")
        for event in events:
            data = event.removeprefix(b"data: ")
            if data == b"[DONE]":
                is_done = True
                continue
            value = json.loads(data)
            if "error" in value:
                sent.code = value["error"]["code"]
            sent.usage = value.get("usage") or sent.usage
            if value.get("choices") and value["choices"][0].get("delta", {}).get("content"):
                sent.events += 1
            if sent.events == ask.cut_after:
                sent.was_cut = True
                return
    sent.is_whole = is_done and sent.code is None
