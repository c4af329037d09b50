"""Logging in through glewlwyd, an OpenID provider that insists on PKCE with S256 and signs with ES256."""

import re

import pytest
import requests

from glewlwyd import CLIENT_ID, CLIENT_SECRET, SCOPE, Glewlwyd
from lumen_config import PLENTY
from lumen_site import Site

GROUPS = {
    "default": {"default": PLENTY},
    "uiuc-staff": {
        "rules": [
            {"field": "affiliation", "contains": "staff@illinois.edu"},
            {"field": "idp", "equals": "urn:mace:incommon:uiuc.edu"},
        ],
        "default": {"max": 500000, "refresh": 10000},
    },
}
STAFF = {"affiliation": "staff@illinois.edu;member@illinois.edu", "idp": "urn:mace:incommon:uiuc.edu"}


@pytest.fixture(scope="module")
def site():
    site = Site(starts=False)
    with Glewlwyd(f"{site.url}/callback") as provider:
        oauth2 = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "server_metadata_url": provider.discovery,
            "redirect_uri": f"{site.url}/callback",
            "scopes": f"openid {SCOPE}",
        }
        site.change_configuration({"app": {"dev_user": None}, "oauth2": oauth2, "groups": GROUPS})
        site.secrets.add(CLIENT_SECRET)
        site.provider = provider
        site.starts = True
        with site:
            yield site


def log_in(site: Site, change=lambda address: address) -> requests.Response:
    """- change: of the address at the provider."""
    browser = requests.Session()
    address = browser.get(f"{site.url}/login?next=/keys", allow_redirects=False).headers["Location"]
    back = site.provider.authorize(change(address))
    assert back.startswith(f"{site.url}/callback?")
    return browser.get(back, allow_redirects=False)


def groups(site: Site) -> set[str]:
    search = {"search": "ada@illinois.edu", "sort": "email", "isDescending": False, "offset": 0, "limit": 5}
    (user,) = site.call("auth", "auth.find_users", search)["users"]
    return set(user["person"]["groups"])


def test_claims_that_are_bound_to_a_scope_make_groups(site):
    site.provider.set_claims(**STAFF)
    assert log_in(site).headers["Location"] == "/keys"
    assert groups(site) == {"default", "uiuc-staff"}
    site.provider.set_claims(**STAFF | {"idp": "urn:mace:incommon:berkeley.edu"})
    assert log_in(site).headers["Location"] == "/keys"
    assert groups(site) == {"default"}


def test_the_provider_refuses_another_code_verifier(site):
    page = log_in(site, lambda address: re.sub("code_challenge=[^&]*", f"code_challenge={'x' * 43}", address))
    assert page.status_code == 400
    assert "code_refused" in page.text
