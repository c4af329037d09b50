"""One id names a request everywhere."""

from chats import asked
from machine import wait_for


def test_request_id_is_in_the_logs_of_web_ledger_and_router(site, client):
    reply = client.chat.completions.with_raw_response.create(**asked("dummy"))
    request = reply.headers["x-request-id"]

    def services() -> set[str]:
        return {line.get("service") for line in site.log_lines() if request in line.values()}

    wait_for(f"{request} in three logs", lambda: {"web", "ledger", "router"} <= services())


def test_request_id_is_in_the_usage_event(site, client, key):
    reply = client.chat.completions.with_raw_response.create(**asked("dummy"))
    request = reply.headers["x-request-id"]
    wait_for("the usage event", lambda: request in [event["request"] for event in site.events(key)])


def test_refused_request_has_an_id_too(site, client):
    reply = client.models.with_raw_response.list()
    assert reply.headers["x-request-id"] != client.models.with_raw_response.list().headers["x-request-id"]
