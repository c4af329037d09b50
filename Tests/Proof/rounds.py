"""One round of the proof: a whole site under load on one engine, whose services are killed at random; then the audit."""

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field

import audit
from books import Books
from clients import MODELS, Load
from crew import Crew
from lumen_site import Site
from machine import http_get, wait_for
from schedule import strikes
from wire import WireClient

USERS = 8
KEYS_OF_A_USER = 3
# So small that requests are refused, lowered and made to wait; per hour.
POOR = {"max": 1500, "refresh": 300_000, "starting": 1000}
SHARED = {"max": 5000, "refresh": 900_000, "starting": 3000}
# What every second user has of their own: enough for most of what they ask.
RICH = {"max": 20_000, "refresh": 3_600_000, "starting": 20_000}
# A dead owner's reservations are ended within this.
LEAK_SECONDS = 30
OBSERVE_SECONDS = 0.5
SNAPSHOT_SECONDS = 1.0
LISTEN_SECONDS = 0.1


@dataclass
class Witness:
    """What is looked at while the load runs: what the backend sent, and the books as they are at any instant."""

    site: Site
    books: Books
    records: dict[int, dict] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)
    snapshots: int = 0
    # When the ledger did not answer, from and to, in milliseconds since 1970.
    absences: list[tuple[float, float]] = field(default_factory=list)
    is_ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Witness":
        self.threads = [threading.Thread(target=self.repeat, args=pair) for pair in self.duties()]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_ending.set()
        for thread in self.threads:
            thread.join()

    def duties(self) -> list[tuple]:
        return [(self.observe, OBSERVE_SECONDS), (self.look, SNAPSHOT_SECONDS), (self.listen, LISTEN_SECONDS)]

    def repeat(self, duty, seconds: float) -> None:
        while not self.is_ending.wait(seconds):
            duty()

    def observe(self) -> None:
        going_on = [number for number, record in self.records.items() if not is_over(record)]
        first = min(going_on, default=max(self.records, default=0) + 1)
        url = self.site.backend.url.removesuffix("/v1")
        status, body = http_get(f"{url}/observed?after={first - 1}")
        if status == 200:
            self.records.update((record["number"], record) for record in json.loads(body)["latest"])

    def look(self) -> None:
        self.breaches += self.books.broken_invariants()
        self.snapshots += 1

    def listen(self) -> None:
        start = time.time() * 1000
        while not self.is_ending.is_set():
            try:
                with WireClient(self.site.run_dir / "ledger.sock", timeout=1):
                    break
            except (OSError, EOFError, ValueError):
                time.sleep(LISTEN_SECONDS)
        end = time.time() * 1000
        if end - start > LISTEN_SECONDS * 1000:
            self.absences.append((start, end))

    def tokens(self) -> dict[str, int]:
        """What the backend sent, by the names that clients gave their requests."""
        sent: dict[str, int] = {}
        for record in self.records.values():
            name = record.get("user") or ""
            sent[name] = sent.get(name, 0) + record["tokens"]
        return sent


def is_over(record: dict) -> bool:
    return "ended_ms" in record or "left_ms" in record


def run_round(seed: int, crashes: int, url: str | None = None, patient: bool = True) -> dict:
    """Kills so many services, and tells what came of it.

    - url: of an empty PostgreSQL database; SQLite without.
    - patient: looks for leaks after 30 s, as the promise says; else as soon as there are none.
    """
    began = time.time()
    changes = {
        "groups": {"default": {"default": POOR, "shared": SHARED}},
        "app": {"database_url": url} if url else {},
        "rate_limiting": {"limit": "1000000 per minute"},
    }
    site = Site(changes, models=MODELS, routers=2, starts=False)
    with site, Crew(site) as crew:
        books = Books(site, url)
        keys = create_keys(site)
        budgets = {"group:default": SHARED} | give_budgets(site, keys)
        load = Load(site.web_port, [key["secret"] for key in keys], seed)
        with Witness(site, books) as witness:
            deaths = asyncio.run(under_fire(load, crew, seed, crashes))
            leaks = settle(books, LEAK_SECONDS if patient else 0)
            witness.observe()
        verification = verified(site)
        held = books.held()
        breaches = [*dict.fromkeys(witness.breaches), *crew.unexpected, *books.broken_invariants()]
        breaches += verification["faults"] + leaks
        result = audit.audited(
            load.sent,
            [key["summary"]["id"] for key in keys],
            witness.tokens(),
            books,
            audit.Away(deaths, witness.absences),
        )
        minted = audit.minted(books, budgets, time.time() - began)
    result["breaches"] = breaches + minted + result["breaches"]
    return {
        "engine": books.engine,
        "seed": seed,
        "crashes": sum(crew.deaths.values()),
        "crashes_of": crew.deaths,
        "seconds": round(time.time() - began),
        "snapshots": witness.snapshots,
        "refused_connections": load.refused_connections,
        "leaked_reservations": held[0],
        "leaked_tokens": held[1],
        **result,
    }


def create_keys(site: Site) -> list[dict]:
    keys = []
    for user in range(USERS):
        for number in range(KEYS_OF_A_USER):
            owner = {"email": {"_0": f"user{user}@example.edu"}}
            keys.append(site.call("auth", "auth.create_key", {"owner": owner, "name": f"key {number}"}))
            site.secrets.add(keys[-1]["secret"])
    return keys


def give_budgets(site: Site, keys: list[dict]) -> dict[str, dict]:
    """Makes every second user rich; what each holder of a pool goes by."""
    users = [site.account(key["secret"])["user"] for key in keys[::KEYS_OF_A_USER]]
    for user in users[::2]:
        budget = RICH | {"max": {"tokens": {"_0": RICH["max"]}}}
        site.call("ledger", "ledger.set_override", {"user": user, "pool": "default", "budget": budget})
    return {f"user:{user}": POOR if index % 2 else RICH for index, user in enumerate(users)}


async def under_fire(load: Load, crew: Crew, seed: int, crashes: int) -> list[tuple[float, str]]:
    """Runs the load while services die; when which one did, in milliseconds since 1970."""
    running = asyncio.create_task(load.run())
    deaths: list[tuple[float, str]] = []
    await asyncio.sleep(1)
    for strike in strikes(seed, crashes):
        await asyncio.sleep(strike.pause)
        when = crew.kill(strike.names)
        deaths += [(when, name) for name in strike.names]
        if running.done():
            break
    await asyncio.sleep(1)
    load.stop()
    await running
    return deaths


def settle(books: Books, patience: float) -> list[str]:
    """Waits for what dead ones left behind to be ended; a sentence for what was not."""
    end = time.monotonic() + LEAK_SECONDS
    time.sleep(patience)
    try:
        wait_for("the last reservation to end", lambda: books.held() == (0, 0), max(0.1, end - time.monotonic()))
        wait_for("the last kept post to be delivered", lambda: books.pending() == 0, max(0.1, end - time.monotonic()))
    except AssertionError as error:
        return [f"{error}: reservations and tokens {books.held()}, kept posts {books.pending()}"]
    return []


def verified(site: Site) -> dict:
    with WireClient(site.run_dir / "ledger.sock", timeout=60) as ledger:
        return ledger.call("ledger.verify", {}, deadline_ms=60_000)
