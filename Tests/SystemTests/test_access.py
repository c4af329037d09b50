"""Access that is taken away in the middle of its use: streams, sessions and keys end, on every host, within a second."""

import json
import signal
import sqlite3
import threading
import time

import httpx2
import pytest

from chats import asked
from lumen_site import Site
from machine import send, wait_for
from postgres import Postgres

STREAM = "tokens-2000-at-20"
ADMIN = {"user": 1_000_000, "email": "root@example.edu", "address": "192.0.2.1"}
# On a machine with nothing else to do it is within one second; the tests print what it was.
DEAD_SECONDS = 10


class Stream:
    """A stream of /v1 that is read to its end, whatever that is, by a thread."""

    def __init__(self, site: Site, key: str, model: str = STREAM):
        self.url, self.key, self.body = f"{site.url}/v1/chat/completions", key, asked(model) | {"stream": True}
        self.events: list[str] = []
        self.ended: float | None = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        wait_for("the stream to begin", lambda: len(self.events) > 3)

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx2.stream("POST", self.url, json=self.body, headers=headers, timeout=60) as reply:
            self.events.extend(line for line in reply.iter_lines() if line)
        self.ended = time.monotonic()

    def failure(self) -> str:
        """The code of the error event before the last."""
        self.thread.join(DEAD_SECONDS)
        assert self.ended, "the stream goes on"
        assert self.events[-1] == "data: [DONE]"
        return json.loads(self.events[-2].removeprefix("data: "))["error"]["code"]


class Session:
    """A browser session of the dev user, without a browser."""

    def __init__(self, site: Site):
        self.site = site
        self.http = httpx2.Client(base_url=site.url, headers={"Origin": site.url}, timeout=30)
        self.http.get("/login")
        site.secrets |= set(self.http.cookies.values())
        assert self.is_alive()

    def is_alive(self) -> bool:
        return self.http.get("/chat/api/account").status_code == 200

    def ask(self, model: str = STREAM) -> None:
        """Begins an answer, which goes on by itself."""
        question = {"text": asked()["messages"][0]["content"], "model": model}
        reply = self.http.post("/chat/api/conversations", json=question)
        assert reply.status_code == 201, reply.text


def models(site: Site, key: str) -> httpx2.Response:
    return httpx2.get(f"{site.url}/v1/models", headers={"Authorization": f"Bearer {key}"})


def refusal(site: Site, key: str) -> str | None:
    """The code with which the key is refused."""
    reply = models(site, key)
    return None if reply.status_code == 200 else reply.json()["error"]["code"]


def test_a_disabled_user_loses_everything_on_two_hosts():
    with Postgres() as server:
        both = {"app": {"database_url": server.create_database()}}
        with Site(both, models=(STREAM,)) as one, Site(both, models=(STREAM,)) as other:
            sites = (one, other)
            key = one.create_key("dev@example.com")
            other.secrets.add(key)
            user = one.account(key)["user"]
            sessions = [Session(site) for site in sites]
            for session in sessions:
                session.ask()
            streams = [Stream(site, key) for site in sites]
            stranger = Stream(other, other.create_key("ann@example.edu"))
            start = time.monotonic()
            disable(one, user)
            for number, site in enumerate(sites):
                wait_for("the session to end", lambda: not sessions[number].is_alive(), DEAD_SECONDS)
                wait_for("the key to end", lambda: refusal(site, key) == "account_disabled", DEAD_SECONDS)
                print(f"host {number}: session and key were dead after {time.monotonic() - start:.2f} s at most")
            for number, stream in enumerate(streams):
                assert stream.failure() == "account_disabled"
                print(f"host {number}: the stream ended after {stream.ended - start:.2f} s")
            # Two streams and two answers in the browser; what was produced is billed.
            wait_for("the bills", lambda: len(bills(one, user)) == 4)
            assert {bill["usage"]["outcome"] for bill in bills(one, user)} == {"cancelled"}
            assert all(bill["billed"] > 0 for bill in bills(one, user))
            for site in sites:
                wait_for("the backend to be left", lambda: left(site) == 2, DEAD_SECONDS)
            assert stranger.ended is None, "another user's stream ended"
            disable(one, user, False)
            wait_for("the key to work again", lambda: refusal(other, key) is None)
            assert not sessions[0].is_alive()
            disable(one, one.account(stranger.key)["user"])
            assert stranger.failure() == "account_disabled"


def disable(site: Site, user: int, is_disabled: bool = True) -> None:
    site.call("auth", "auth.set_user_disabled", {"user": user, "isDisabled": is_disabled, "by": ADMIN})


def left(site: Site) -> int:
    """How many requests the backend saw cancelled."""
    return sum("left_ms" in record for record in site.observed()["latest"])


def bills(site: Site, user: int) -> list[dict]:
    return site.call("ledger", "ledger.events", {"user": user, "limit": 200})


def test_a_revoked_or_expired_key_ends_its_streams():
    with Site(models=(STREAM, "dummy")) as site:
        kept, revoked = (site.create_key("ann@example.edu", name) for name in ("kept", "revoked"))
        output = site.lumen("key", "create", "--user", "ann@example.edu", "--name", "short", "--expires", "5s").stdout
        short = output.strip()
        site.secrets.add(short)
        user = site.account(kept)["user"]
        keys = {key["name"]: key["id"] for key in site.call("auth", "auth.list_keys", {"user": user})}
        streams = {name: Stream(site, key) for name, key in (("kept", kept), ("revoked", revoked), ("short", short))}
        start = time.monotonic()
        site.call("auth", "auth.revoke_key", {"user": user, "key": keys["revoked"]})
        assert streams["revoked"].failure() == "invalid_api_key"
        print(f"the stream of a revoked key ended after {streams['revoked'].ended - start:.2f} s")
        assert refusal(site, revoked) == "invalid_api_key"
        assert streams["short"].failure() == "invalid_api_key"
        assert refusal(site, short) == "invalid_api_key"
        assert streams["kept"].ended is None
        site.call("auth", "auth.revoke_key", {"user": user, "key": keys["kept"]})
        assert streams["kept"].failure() == "invalid_api_key"


def test_a_key_may_use_its_models_only():
    with Site(models=("dummy", "other")) as site:
        key = site.lumen(
            "key", "create", "--user", "ann@example.edu", "--name", "one", "--model", "dummy", "--model", "none"
        ).stdout.strip()
        site.secrets.add(key)
        assert [model["id"] for model in models(site, key).json()["data"]] == ["dummy"]
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx2.get(f"{site.url}/v1/models/other", headers=headers).status_code == 404
        replies = {
            model: httpx2.post(f"{site.url}/v1/chat/completions", json=asked(model), headers=headers)
            for model in ("dummy", "other", "none")
        }
        assert [reply.status_code for reply in replies.values()] == [200, 403, 404]
        assert replies["other"].json()["error"]["code"] == "model_not_allowed"


def test_while_auth_is_stopped_known_keys_go_on_and_nobody_new_gets_in():
    with Site() as site:
        known, new = site.create_key("ann@example.edu"), site.create_key("bob@example.edu")
        session = Session(site)
        assert refusal(site, known) is None
        send(site.service("auth"), signal.SIGSTOP)
        assert refusal(site, known) is None
        assert refusal(site, new) == "service_unavailable"
        assert not session.is_alive()
        # From now on nobody is kept waiting.
        assert '"the service does not answer"' in site.log_path.read_text()
        send(site.service("auth"), signal.SIGCONT)
        wait_for("auth to be heard", lambda: refusal(site, new) is None)
        assert session.is_alive()


def test_the_audit_log_is_verified():
    with Site({"groups": {"lab": {}}}) as site:
        for name in ("ann", "bob", "cy"):
            site.call("auth", "auth.create_user", {"email": f"{name}@example.edu", "by": ADMIN})
        site.change_configuration({"groups": {"lab": None}})
        # The file's change is found within two seconds, and is an entry, too.
        wait_for("the file's change", lambda: "4 entries" in site.lumen("audit", "verify").stdout)
        assert '"audited"' in site.log(), "the hashes stand in the log as well"
        database = sqlite3.connect(site.folder / "lumen.auth.db", timeout=10)
        with pytest.raises(sqlite3.Error, match="append-only"):
            database.execute("UPDATE audit SET subject = 'nobody' WHERE number = 2")
        database.execute("DROP TRIGGER audit_stays")
        database.execute("UPDATE audit SET subject = 'nobody' WHERE number = 2")
        database.commit()
        database.close()
        verify = site.lumen("audit", "verify", check=False)
        assert verify.returncode == 1
        assert "1 entries" in verify.stdout
        assert "entry 2 is not the one that was written" in verify.stdout
