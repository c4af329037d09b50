"""A changed limit, model and group take effect within 5 s under load, with no failed request."""

import threading
import time

import openai

from chats import ask, asked
from lumen_config import model
from lumen_site import Site
from machine import wait_for

EFFECT_SECONDS = 5


def test_changes_under_load():
    with Site(routers=2) as site:
        key = site.create_key()
        with Load(site, key) as load, site.client(key) as client:
            site.change_configuration({"rate_limiting": {"limit": "90000 per minute"}})
            wait_for("the new limit", lambda: limit_of(client) == "90000", EFFECT_SECONDS)

            models = [*site.configuration["models"], model("tokens-3-at-0", site.backend.any_url)]
            site.change_configuration({"models": models})
            wait_for("the new model", lambda: answers(client, "tokens-3-at-0"), EFFECT_SECONDS)

            site.change_configuration({"groups": {"default": {"default": {"max": 5 * 10**11}}}})
            wait_for("the new budget", lambda: site.pool(key)["max"] == 5 * 10**11, EFFECT_SECONDS)
        assert load.failures == []
        assert load.successes > 10


def test_broken_configuration_changes_nothing():
    with Site() as site:
        key = site.create_key()
        with site.client(key) as client:
            for broken in ("", "models: [", "modells: []\n"):
                site.config_path.write_text(broken)
                end = time.monotonic() + EFFECT_SECONDS + 1
                while time.monotonic() < end:
                    ask(client)
                    time.sleep(0.2)
        site.write_configuration()


class Load:
    """Four clients that ask all the time."""

    def __init__(self, site: Site, key: str):
        self.site, self.key = site, key
        self.successes = 0
        self.failures: list[str] = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(4)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def run(self) -> None:
        with self.site.client(self.key) as client:
            while not self.stopped.is_set():
                try:
                    ask(client)
                    self.successes += 1
                except openai.APIError as error:
                    self.failures.append(repr(error))


def limit_of(client: openai.OpenAI) -> str:
    reply = client.chat.completions.with_raw_response.create(**asked("dummy"))
    return reply.headers["x-ratelimit-limit-requests"]


def answers(client: openai.OpenAI, name: str) -> bool:
    try:
        ask(client, name)
        return True
    except openai.NotFoundError:
        return False
