"""A stream is relayed as it comes."""

import time

from chats import ask, content_events
from lumen_site import Site

SITE = {"models": ("gap-200", "tokens-100-at-0")}


def test_first_event_arrives_before_the_backend_sends_its_second(client):
    def gaps() -> list[float]:
        times = []
        for _ in content_events(ask(client, "gap-200", stream=True, max_tokens=6)):
            times.append(time.monotonic())
        assert len(times) == 6
        return [later - earlier for earlier, later in zip(times, times[1:])]

    # Had an event waited for its successor, two of them would have come at once, each time; on a busy machine they may once.
    assert any(all(gap > 0.1 for gap in gaps()) for _ in range(5))


def test_no_fixed_delay_per_stream(site, client):
    """Nagle's algorithm with delayed acknowledgements costs 40 ms in every stream; a busy machine spares one sometimes."""

    def seconds() -> float:
        start = time.monotonic()
        list(ask(client, "tokens-100-at-0", stream=True))
        return time.monotonic() - start

    assert any(seconds() < 0.04 for _ in range(400))


def test_sixty_streams_at_once(site):
    """More than HTTP clients open to one host by default."""
    import asyncio

    async def count(client) -> int:
        stream = await client.chat.completions.create(
            model="gap-200", messages=[{"role": "user", "content": "x"}], max_tokens=5, stream=True
        )
        return len([event async for event in stream if event.choices[0].delta.content])

    async def run():
        async with site.async_client(site.create_key("many@example.edu")) as client:
            return await asyncio.gather(*(count(client) for _ in range(60)))

    start = time.monotonic()
    assert asyncio.run(run()) == [5] * 60
    assert time.monotonic() - start < 10
