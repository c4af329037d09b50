"""Requests that many tests make."""

import openai

from lumen_site import CANARY


def asked(model: str = "dummy", text: str | None = None) -> dict:
    """The members of a chat request; every prompt holds the canary, which no log may hold."""
    return {"model": model, "messages": [{"role": "user", "content": text or f"Say {CANARY} again"}]}


def ask(client: openai.OpenAI, model: str = "dummy", text: str | None = None, **options):
    return client.chat.completions.create(**asked(model, text), **options)


def words_of(answer) -> int:
    return len(answer.choices[0].message.content.split())


def content_events(stream):
    """The events that carry text."""
    return (event for event in stream if event.choices and event.choices[0].delta.content)
