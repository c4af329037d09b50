"""Lumen on PostgreSQL: what an operator is told, and what happens when the server stops, restarts or falls silent."""

import os
import signal
import subprocess
import time

import pytest

from browser import Visitor
from chats import CANARY, ask, words_of
from lumen_site import EXECUTABLES, Site
from machine import clean_environment, send, wait_for
from postgres import Postgres, query
from wire import WireClient, WireError, credential_hash

# A server that does not answer is given up after 5 s.
ANSWERED_SECONDS = 8


@pytest.fixture(scope="module")
def server():
    with Postgres() as server:
        yield server


@pytest.fixture
def url(server):
    return server.create_database()


def site_on(url: str, pool: dict | None = None, **options) -> Site:
    return Site({"app": {"database_url": url, "db_pool": pool or {}}}, **options)


class Auth:
    """auth-service by itself, on a site's configuration; several may run."""

    def __init__(self, site: Site, name: str = "auth"):
        self.site = site
        self.socket = site.run_dir / f"{name}.sock"
        with site.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [EXECUTABLES / "auth-service", "--config", site.config_path, "--listen", self.socket],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
            )
        wait_for("the socket of auth", self.socket.exists)

    def __enter__(self) -> "Auth":
        return self

    def __exit__(self, *_) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def call(self, method: str, params: dict):
        with WireClient(self.socket, timeout=20) as peer:
            return peer.call(method, params, deadline_ms=20_000)

    def create_key(self, email: str = "ann@example.edu") -> dict:
        key = self.call("auth.create_key", {"owner": {"email": {"_0": email}}, "name": "test"})
        self.site.secrets.add(key["secret"])
        return key

    def holder(self, key: dict) -> dict:
        hashed = credential_hash(key["secret"], self.site.configuration["app"]["encryption_key"])
        return self.call("auth.authenticate", {"key": hashed})


def test_a_silent_server_costs_a_bounded_time_and_is_recovered_from(server, url):
    with site_on(url, starts=False) as site, Auth(site) as auth:
        key = auth.create_key()
        server.suspend()
        try:
            for _ in range(2):
                start = time.monotonic()
                with pytest.raises(WireError) as error:
                    auth.holder(key)
                assert error.value.code == "storage_failed"
                assert time.monotonic() - start < ANSWERED_SECONDS
        finally:
            server.resume()
        assert auth.holder(key)["person"]["email"] == "ann@example.edu"
        auth.create_key("bob@example.edu")


def test_a_restarted_server_costs_nobody_an_error(server, url):
    with site_on(url, starts=False) as site, Auth(site) as auth:
        key = auth.create_key()
        server.stop()
        with pytest.raises(WireError) as error:
            auth.holder(key)
        assert error.value.code == "storage_failed"
        assert str(server.folder) not in str(error.value)
        server.start()
        assert auth.holder(key)["key"] == key["summary"]["id"]
        query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        assert auth.holder(key)["key"] == key["summary"]["id"]


def test_several_instances_share_the_database(url):
    with site_on(url, starts=False) as site, Auth(site) as one, Auth(site, "other") as other:
        key = one.create_key()
        holder = other.holder(key)
        with WireClient(other.socket) as follower:
            follower.send({"id": 1, "method": "auth.follow_revocations", "deadline_ms": 10_000, "params": {}})
            assert follower.receive()["event"]["revision"] == holder["revision"]
            one.call("auth.revoke_key", {"user": holder["person"]["id"], "key": key["summary"]["id"]})
            wait_for("the revision", lambda: follower.receive()["event"]["revision"] > holder["revision"], 1)
        with pytest.raises(WireError, match="unauthenticated"):
            other.holder(key)


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ("&dbname=none", os.EX_CONFIG, "has no database of the name"),
        ("&user=nobody", os.EX_CONFIG, "refuses the user or the password"),
        ("&host=/nowhere", 1, "PostgreSQL cannot be reached"),
    ],
)
def test_what_is_wrong_with_the_server_is_told_at_start(url, change, status, sentence):
    with site_on(url + change + "&password=hunter2", starts=False) as site:
        command = [EXECUTABLES / "auth-service", "--config", site.config_path]
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, env=clean_environment())
        check = site.lumen("check")
        assert result.returncode == status
        assert sentence in result.stderr
        assert sentence in check.stderr
        assert "hunter2" not in result.stderr + check.stderr


def test_check_knows_how_many_connections_the_server_admits(url):
    with site_on(url, starts=False) as site:
        assert "app.db_pool" not in site.lumen("check").stderr
        site.change_configuration({"app": {"db_pool": {"pool_size": 100}}})
        check = site.lumen("check")
        assert "app.db_pool: " in check.stderr
        assert "330 connections, but PostgreSQL admits 300" in check.stderr


def test_the_whole_site(url, browser):
    with site_on(url, models=("dummy", "tokens-400-at-20")) as site:
        key = site.create_key()
        with site.client(key) as client:
            assert words_of(ask(client)) > 0
        assert len(site.events(key)) == 1
        visitor = Visitor(browser, site)
        visitor.log_in()
        visitor.open_chat("dummy")
        visitor.send(f"{CANARY}: hello")
        visitor.wait_for_end()
        assert f"{CANARY}: hello" in visitor.answer_text()
        # What a web leaves behind that is killed in the middle of an answer, the next one closes.
        visitor.open_chat("tokens-400-at-20")
        visitor.send(f"{CANARY}: at length")
        wait_for("some text", lambda: len(visitor.answer_text()) > 20)
        old = site.service("web")
        send(old, signal.SIGKILL)
        visitor.close()
        wait_for("the restart", lambda: set(site.services("web")) - {old})
        states = "SELECT string_agg(state, ' ' ORDER BY id) FROM web.messages WHERE role = 'assistant'"
        wait_for("the answer to be closed", lambda: query(url, states) == "completed interrupted", 25)
        assert query(url, "SELECT count(*) FROM web.webs") == "1"
