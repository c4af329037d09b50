"""Logging in through a real OpenID provider in a browser: PyPI's oidc-provider-mock, which knows nothing of us."""

import json
import subprocess
import sys
import urllib.request
from urllib.parse import urlsplit

import pytest

from accessibility import findings_here
from browser import Visitor
from lumen_config import PLENTY
from lumen_site import Site
from machine import free_port, http_get, wait_for

USER = "cilogon-4711"
STAFF = {
    "email": "Ada@Illinois.edu",
    "email_verified": True,
    "name": "Ada <b>Lovelace</b>",
    "affiliation": "staff@illinois.edu;member@illinois.edu",
    "idp": "urn:mace:incommon:uiuc.edu",
}
# As in the documentation: whoever matches all rules of a group.
GROUPS = {
    "default": {"default": PLENTY},
    "uiuc-staff": {
        "rules": [
            {"field": "affiliation", "contains": "staff@illinois.edu"},
            {"field": "idp", "equals": "urn:mace:incommon:uiuc.edu"},
        ],
        "default": {"max": 500000, "refresh": 10000},
    },
    "half": {
        "rules": [
            {"field": "affiliation", "equals": "staff@illinois.edu"},
            {"field": "idp", "equals": "urn:mace:incommon:berkeley.edu"},
        ],
        "default": {"max": 1},
    },
    "by-hand": {"default": {"max": 1000000, "refresh": 50000}},
}


class MockProvider:
    """A context manager."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"

    def __enter__(self) -> "MockProvider":
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port), "--require-nonce"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("the provider", lambda: http_get(f"{self.url}/.well-known/openid-configuration")[0] == 200, 30)
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(10)

    def set_claims(self, **claims) -> None:
        request = urllib.request.Request(
            f"{self.url}/users/{USER}", json.dumps(claims).encode(), {"Content-Type": "application/json"}, method="PUT"
        )
        urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="module")
def provider():
    with MockProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def site(provider):
    site = Site(starts=False)
    oauth2 = {
        "client_id": "lumen",
        "client_secret": "mock-client-secret-0123456789",
        "server_metadata_url": f"{provider.url}/.well-known/openid-configuration",
        "redirect_uri": f"{site.url}/callback",
    }
    site.change_configuration({"app": {"dev_user": None}, "oauth2": oauth2, "groups": GROUPS})
    site.secrets.add(oauth2["client_secret"])
    site.starts = True
    with site:
        yield site


@pytest.fixture
def visitor(browser, site, provider):
    visitor = Visitor(browser, site, also=provider.url)
    # The provider's page would have a style sheet from far away.
    visitor.context.route(lambda url: urlsplit(url).hostname != "localhost", lambda route: route.abort())
    yield visitor
    visitor.check()
    visitor.close()


def log_in(visitor: Visitor, user: str = USER) -> None:
    """From the front page to the provider and back."""
    visitor.page.goto("/")
    visitor.page.get_by_role("link", name="Login").click()
    visitor.page.get_by_placeholder("sub").fill(user)
    visitor.page.get_by_role("button", name="Authorize").click()
    visitor.page.get_by_role("button", name="Log out").wait_for()
    visitor.site.secrets |= {cookie["value"] for cookie in visitor.context.cookies(visitor.site.url)}


def person(site: Site, email: str) -> dict:
    search = {"search": email, "sort": "email", "isDescending": False, "offset": 0, "limit": 5}
    (user,) = site.call("auth", "auth.find_users", search)["users"]
    return user["person"]


def test_claims_make_groups_and_other_claims_end_them(visitor, site, provider):
    provider.set_claims(**STAFF)
    log_in(visitor)
    assert visitor.page.get_by_text("Ada <b>Lovelace</b>").count() == 1
    ada = person(site, "ada@illinois.edu")
    assert set(ada["groups"]) == {"default", "uiuc-staff"}
    by = {"user": ada["id"], "email": ada["email"], "address": "192.0.2.1"}
    site.call("auth", "auth.set_member", {"user": ada["id"], "group": "by-hand", "isMember": True, "by": by})
    assert set(person(site, ada["email"])["groups"]) == {"default", "uiuc-staff", "by-hand"}

    provider.set_claims(**STAFF | {"affiliation": "member@illinois.edu"})
    visitor.log_out()
    log_in(visitor)
    assert set(person(site, ada["email"])["groups"]) == {"default", "by-hand"}


def test_the_page_that_was_asked_for_comes_after_the_login(visitor, provider):
    provider.set_claims(**STAFF)
    visitor.page.goto("/usage?month=all")
    visitor.page.get_by_placeholder("sub").fill(USER)
    visitor.page.get_by_role("button", name="Authorize").click()
    visitor.page.get_by_role("button", name="Log out").wait_for()
    assert visitor.page.url.removeprefix(visitor.site.url) == "/usage?month=all"


def test_who_changes_their_mind_can_try_again(visitor, provider):
    provider.set_claims(**STAFF)
    visitor.page.goto("/keys")
    visitor.page.get_by_role("button", name="Deny").click()
    visitor.page.get_by_role("heading", name="You did not log in").wait_for()
    # The page is a refusal, which the browser's console reports.
    visitor.offences.clear()
    visitor.page.get_by_role("link", name="Try again").click()
    visitor.page.get_by_placeholder("sub").fill(USER)
    visitor.page.get_by_role("button", name="Authorize").click()
    # This provider's refusal has no state, and so nothing tells any more that they were on their way to their keys.
    visitor.page.get_by_role("button", name="Log out").wait_for()


def test_the_back_button_leads_to_a_page_that_says_so(visitor, provider):
    provider.set_claims(**STAFF)
    callbacks = []
    visitor.page.on("request", lambda request: callbacks.append(request.url) if "/callback?" in request.url else None)
    log_in(visitor)
    visitor.page.goto(callbacks[0])
    visitor.page.get_by_role("heading", name="This login is over").wait_for()
    visitor.offences.clear()
    visitor.page.get_by_role("link", name="Go to the front page").click()
    visitor.page.get_by_role("button", name="Log out").wait_for()


def test_refusals_are_accessible(visitor, provider):
    findings = set()
    for path in ("/callback", "/callback?state=forged&code=x"):
        visitor.page.goto(path)
        visitor.page.get_by_role("link", name="Try again").wait_for()
        findings |= findings_here(visitor, path)
    visitor.offences.clear()
    assert findings == set()
