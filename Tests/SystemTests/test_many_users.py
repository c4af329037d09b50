"""Ten thousand users: how long an admin waits for a page of them, on both engines."""

import sqlite3
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from lumen_site import EXECUTABLES, Site
from machine import clean_environment, wait_for
from postgres import Postgres, query
from wire import WireClient

USERS = 10_000
# What a page may take; on a busy machine it waits for its turn, so that the test gives it ten times as long.
PAGE_SECONDS = 0.05
BUSY = 10
CALLS = 7

CLAIMS = (
    '{"affiliation":["staff@example.edu","member@example.edu"],"idp":["urn:mace:example.edu"],'
    '"member_of":["cn=group-{n},ou=groups,dc=example,dc=edu"],"ou":["Physics"]}'
)
ROWS = """
INSERT INTO {schema}users (email, name, created, claims, issuer, subject, last_login)
SELECT 'user' || n || '@' || (n % 7) || '.example.edu', 'Person ' || (n * 7919 % 10000), n,
    replace('{claims}', '{{n}}', CAST(n % 50 AS TEXT)), 'https://idp.example', 's' || n, n * 7919 % 10000
FROM {numbers}
"""
MEMBERS = """
INSERT INTO {schema}member (group_name, member, since) SELECT 'lab', id, 1 FROM {schema}users WHERE id % 10 = 0
"""
PAGES = {
    "the first page": {"search": "", "sort": "email", "offset": 0},
    "the last page": {"search": "", "sort": "email", "offset": USERS - 50},
    "by name": {"search": "", "sort": "name", "offset": 5000},
    "by last login": {"search": "", "sort": "last_login", "isDescending": True, "offset": 5000},
    "a search that finds many": {"search": "example.edu", "sort": "name", "offset": 2000},
    "a search that finds one": {"search": "user4711@", "sort": "email", "offset": 0},
    "a search that finds nobody": {"search": "nobody at all", "sort": "email", "offset": 0},
}


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_page_of_ten_thousand_users(engine):
    groups = {
        "staff": {"rules": [{"field": "affiliation", "equals": "staff@example.edu"}]},
        "seven": {"rules": [{"field": "member_of", "contains": "cn=group-7,"}]},
        "lab": {},
    }
    if engine == "sqlite":
        measure({"groups": groups}, fill_sqlite)
        return
    with Postgres() as server:
        url = server.create_database()
        measure({"groups": groups, "app": {"database_url": url}}, lambda _: fill_postgres(url))


def measure(changes: dict, fill) -> None:
    with Site(changes, starts=False) as site:
        socket = site.run_dir / "auth.sock"
        command = [EXECUTABLES / "auth-service", "--config", site.config_path]
        with site.log_path.open("ab") as log:
            auth = subprocess.Popen(command, stdout=log, stderr=log, env=clean_environment())
        try:
            wait_for("the socket of auth", socket.exists)
            fill(site)
            clock = CPUClock(auth.pid)
            with WireClient(socket) as peer:
                for what, call in PAGES.items():
                    page, seconds = timed(peer, "auth.find_users", call)
                    print(f"{what}: {seconds * 1000:.1f} ms; {clock.lap() * 1000:.1f} ms of auth's CPU")
                    assert seconds < PAGE_SECONDS * BUSY
                    check(page["users"])
                page, seconds = timed(peer, "auth.list_members", {"group": "staff", "offset": 9000})
                print(f"members by rule: {seconds * 1000:.1f} ms; {clock.lap() * 1000:.1f} ms of auth's CPU")
                assert page["total"] == USERS
        finally:
            auth.terminate()
            auth.wait(10)


class CPUClock:
    """What a process has used since it was asked last, for each of the calls."""

    def __init__(self, pid: int):
        self.tasks = Path(f"/proc/{pid}/task")
        self.last = self.used()

    def used(self) -> float:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self.tasks.iterdir()) / 1e9

    def lap(self) -> float:
        last, self.last = self.last, self.used()
        return (self.last - last) / CALLS


def timed(peer: WireClient, method: str, call: dict) -> tuple[dict, float]:
    """The reply, and the median of the times."""
    times = []
    for _ in range(CALLS):
        start = time.monotonic()
        page = peer.call(method, {"isDescending": False, "limit": 50} | call)
        times.append(time.monotonic() - start)
    return page, statistics.median(times)


def check(users: list[dict]) -> None:
    """Each comes with the groups that they are in."""
    for user in users:
        number = int(user["identity"]["subject"][1:])
        expected = {"default", "staff"}
        if number % 50 == 7:
            expected.add("seven")
        if user["person"]["id"] % 10 == 0:
            expected.add("lab")
        assert set(user["person"]["groups"]) == expected


def fill_sqlite(site: Site) -> None:
    numbers = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {USERS}) SELECT n FROM s)"
    with sqlite3.connect(site.folder / "lumen.auth.db", timeout=10) as database:
        database.execute(ROWS.format(schema="", claims=CLAIMS, numbers=numbers))
        database.execute(MEMBERS.format(schema=""))
    database.close()


def fill_postgres(url: str) -> None:
    numbers = f"generate_series(1, {USERS}) AS numbers(n)"
    query(url, ROWS.format(schema="auth.", claims=CLAIMS, numbers=numbers))
    query(url, MEMBERS.format(schema="auth."))
    query(url, "ANALYZE auth.users")
