"""What is on disk, read past the services."""

import sqlite3
from pathlib import Path

from lumen_site import Site
from postgres import query


class Books:
    """The databases of one site, on either engine."""

    def __init__(self, site: Site, url: str | None):
        self.site, self.url = site, url

    @property
    def engine(self) -> str:
        return "postgres" if self.url else "sqlite"

    def rows(self, sql: str, service: str = "ledger") -> list[tuple]:
        """Numbers come as numbers, NULL as None."""
        if self.url is None:
            return sqlite_rows(self.site.folder / f"lumen.{service}.db", sql)
        text = query(self.url, f"SET search_path TO {service}; {sql}")
        return [tuple(map(psql_value, line.split("|"))) for line in text.splitlines()]

    def write(self, statements: list[str]) -> None:
        """For tests that need what would take too long to come about; while no ledger runs."""
        if self.url:
            query(self.url, "SET search_path TO ledger; " + "; ".join(statements))
            return
        connection = sqlite3.connect(self.site.folder / "lumen.ledger.db")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    def value(self, sql: str, service: str = "ledger"):
        return self.rows(sql, service)[0][0]

    def pools(self) -> list[dict]:
        names = ["id", "holder", "name", "balance", "reserved", "max", "sum", "granted", "posted"]
        sql = """
            SELECT p.id, p.holder, p.name, p.balance, p.reserved, p.max, coalesce(sum(e.tokens), 0),
                coalesce(sum(CASE WHEN e.kind IN ('grant', 'accrual') THEN e.tokens END), 0),
                coalesce(-sum(CASE WHEN e.kind = 'post' THEN e.tokens END), 0)
            FROM pools p LEFT JOIN entries e ON e.pool_id = p.id
            GROUP BY p.id, p.holder, p.name, p.balance, p.reserved, p.max ORDER BY p.id"""
        return [dict(zip(names, row)) for row in self.rows(sql)]

    def events(self) -> list[dict]:
        names = ["request", "is_correction", "user", "key", "model", "prompt", "completion", "is_estimated"]
        names += ["started", "outcome", "billed", "written_off"]
        sql = """
            SELECT request, is_correction, user_id, key_id, model, prompt, completion, is_estimated, started, outcome,
                billed, written_off FROM usage_events ORDER BY id"""
        return [dict(zip(names, row)) for row in self.rows(sql)]

    def pending(self) -> int:
        return self.value("SELECT count(*) FROM pending_posts", "web")

    def held(self) -> tuple[int, int]:
        """Reservations' rows, and tokens that pools hold for somebody."""
        sql = "SELECT (SELECT count(*) FROM reservations), (SELECT coalesce(sum(reserved), 0) FROM pools)"
        return self.rows(sql)[0]

    def broken_invariants(self) -> list[str]:
        """One sentence for each breach of what holds at every instant."""
        return [breach for pool in self.pools() for breach in breaches_of(pool)]


def breaches_of(pool: dict) -> list[str]:
    balance, reserved = pool["balance"], pool["reserved"]
    breaches = {
        "is overdrawn": balance >= 0 and reserved >= 0,
        "is above its max": pool["max"] is None or balance == 0 or balance + reserved <= pool["max"],
        "is not the sum of its entries": balance + reserved == pool["sum"],
        "has paid more than it was granted": pool["posted"] <= pool["granted"],
    }
    return [f"pool {pool['holder']}/{pool['name']} {what}: {pool}" for what, holds in breaches.items() if not holds]


def sqlite_rows(path: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def psql_value(text: str):
    if text == "":
        return None
    return int(text) if text.lstrip("-").isdigit() else text
