"""People with accounts at an identity provider, each with a browser of their own."""

import itertools
import time

import requests
from playwright.sync_api import Browser

from browser import Visitor
from lumen_site import Site
from openid_provider import OpenIDProvider

ADMIN = "admin@example.edu"


class People:
    """A site whose people log in with a provider. A context manager for both."""

    def __init__(self, changes: dict | None = None, **options):
        self.provider = OpenIDProvider()
        self.site = Site(changes, starts=False, **options)
        self.site.change_configuration(
            {
                "app": {"dev_user": None},
                "admins": [ADMIN],
                "oauth2": self.provider.configuration(self.site.url),
            }
        )
        self.addresses = (f"10.0.{number // 250}.{number % 250 + 1}" for number in itertools.count())

    def __enter__(self) -> "People":
        self.provider.__enter__()
        self.site.starts = True
        self.site.__enter__()
        return self

    def __exit__(self, *reason) -> None:
        self.site.secrets |= self.provider.secrets
        self.site.__exit__(*reason)
        self.provider.__exit__(*reason)

    def log_in(self, email: str, **claims) -> requests.Session:
        """A new session, from an address of its own: attempts to log in are limited by address."""
        self.provider.claims = {"sub": f"subject-of-{email}", "email": email, "name": email.split("@")[0]} | claims
        session = requests.Session()
        session.headers["X-Forwarded-For"] = next(self.addresses)
        reply = session.get(f"{self.site.url}/login?next=/usage")
        assert (reply.status_code, reply.url) == (200, f"{self.site.url}/usage"), reply.text
        self.site.secrets |= {cookie.value for cookie in session.cookies}
        return session

    def browse(self, browser: Browser, email: str, **options) -> Visitor:
        """The same in Chromium."""
        visitor = Visitor(browser, self.site, **options)
        cookie = session_cookie(self.log_in(email))
        visitor.context.add_cookies([{"name": "lumen", "value": cookie, "url": self.site.url}])
        return visitor


# Who makes a change that a test makes behind the pages' back.
ACTOR = {"user": 0, "email": "test@example.edu", "address": ""}


def session_cookie(session: requests.Session) -> str:
    return next(cookie.value for cookie in session.cookies if cookie.name == "lumen")


def now_ms() -> int:
    return time.time_ns() // 1_000_000
