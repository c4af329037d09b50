"""Logging in with an identity provider, and everything that can go wrong with it, through the real services."""

import base64
import itertools
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from lumen_site import Site
from machine import free_port, wait_for
from openid_provider import CLIENT_SECRET, OpenIDProvider

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def provider():
    with OpenIDProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def site(provider):
    with site_with(provider) as site:
        yield site
        site.secrets |= provider.secrets


def site_with(provider: OpenIDProvider) -> Site:
    site = Site(starts=False)
    site.change_configuration({"app": {"dev_user": None}, "oauth2": provider.configuration(site.url)})
    site.starts = True
    return site


@pytest.fixture
def person(site, provider):
    """Somebody new, with a browser of their own, and a provider that behaves."""
    provider.behave()
    person = Person(site, provider)
    yield person
    provider.behave()


class Person:
    """A browser, as far as logging in goes: cookies and redirects that the test follows one by one."""

    def __init__(self, site: Site, provider: OpenIDProvider, **claims):
        self.site, self.provider = site, provider
        number = next(numbers)
        self.email = f"person{number}@example.edu"
        provider.claims = {"sub": f"http://cilogon.example/users/{number}", "email": self.email, "name": "Ada"} | claims
        self.session = requests.Session()
        self.move()

    def move(self) -> None:
        """Comes from another address, which has a limit of its own for attempts to log in."""
        number = next(numbers)
        self.session.headers["X-Forwarded-For"] = f"10.0.{number // 250}.{number % 250}"

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.site.url + path, allow_redirects=False)

    def begin(self, next: str = "/usage") -> str:
        """The address at the provider."""
        reply = self.get(f"/login?next={next}")
        assert reply.status_code == 303, reply.text
        self.site.secrets |= {cookie.value for cookie in self.session.cookies}
        return reply.headers["Location"]

    def authorize(self, address: str) -> str:
        """The path to come back to."""
        back = requests.get(address, allow_redirects=False).headers["Location"]
        assert back.startswith(self.site.url)
        return back.removeprefix(self.site.url)

    def log_in(self, next: str = "/usage") -> requests.Response:
        return self.get(self.authorize(self.begin(next)))

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        """Until a change of the configuration holds."""

        def moved() -> bool:
            self.move()
            return condition()

        wait_for(what, moved, 15)

    @property
    def is_logged_in(self) -> bool:
        return self.get("/usage").status_code == 200

    @property
    def id(self) -> int:
        """Of the row in auth."""
        search = {"search": self.email, "sort": "email", "isDescending": False, "offset": 0, "limit": 5}
        (user,) = self.site.call("auth", "auth.find_users", search)["users"]
        return user["person"]["id"]

    def cookie(self, beginning: str) -> requests.cookies.cookielib.Cookie:
        return next(cookie for cookie in self.session.cookies if cookie.name.startswith(beginning))


def refusal(reply: requests.Response) -> str:
    """What the page says to tell those who run the site."""
    assert reply.status_code >= 400, reply.headers
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.headers["x-request-id"] in reply.text
    return re.search(r"tell this: (\w+),", reply.text).group(1)


# The good way


def test_login_leads_back_to_the_page_that_was_asked_for(person):
    asked = person.get("/usage?month=all")
    assert asked.headers["Location"] == "/login?next=/usage%3Fmonth%3Dall"
    reply = person.log_in("/usage%3Fmonth%3Dall")
    assert (reply.status_code, reply.headers["Location"]) == (303, "/usage?month=all")
    page = person.get("/usage?month=all")
    assert page.status_code == 200
    assert person.email in page.text
    # Only the session is left.
    assert [cookie.name for cookie in person.session.cookies] == ["lumen"]


def test_the_provider_is_asked_with_pkce_state_and_nonce(person, provider, site):
    query = parse_qs(urlsplit(person.begin()).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"{site.url}/callback"]
    assert query["scope"] == ["openid email profile org.cilogon.userinfo"]
    assert len({query[name][0] for name in ("state", "nonce", "code_challenge")}) == 3


def test_another_verifier_is_refused(person, provider):
    address = person.begin()
    back = person.authorize(address)
    code = parse_qs(urlsplit(back).query)["code"][0]
    provider.codes[code]["code_challenge"] = "another"
    assert refusal(person.get(back)) == "code_refused"


def test_no_open_redirect(person):
    reply = person.log_in("//evil.example")
    assert reply.headers["Location"] == "/chat"


def test_a_new_login_ends_the_session_before(person):
    person.log_in()
    old = person.cookie("lumen")
    person.log_in()
    assert person.is_logged_in
    person.session.cookies.clear()
    person.session.cookies.set_cookie(old)
    assert not person.is_logged_in


def test_two_tabs_log_in_one_after_the_other(person):
    first, second = person.begin("/keys"), person.begin("/models")
    for address, next in ((second, "/models"), (first, "/keys")):
        assert person.get(person.authorize(address)).headers["Location"] == next
    assert person.is_logged_in


def test_a_person_is_known_by_subject_and_the_address_is_followed(person, provider):
    person.log_in()
    provider.claims |= {"email": f"new-{person.email}", "name": "Ada Lovelace"}
    person.log_in()
    page = person.get("/usage").text
    assert f"new-{person.email}" in page and "Ada Lovelace" in page


def test_a_new_user_of_the_operators_is_claimed(person, site):
    key = site.create_key(person.email)
    person.log_in()
    assert person.id == site.account(key)["user"]


# Keys


def test_keys_are_rotated(person, provider):
    """A key that is not known makes the keys be fetched again, but not within 5 s of the last time."""
    assert person.log_in().status_code == 303
    provider.rotate("ES256")
    person.wait_for("a login with the new key", lambda: person.log_in().status_code == 303)
    # Keys that were published before are known still.
    provider.key = provider.published[0]
    assert person.log_in().status_code == 303


# What can go wrong


def answer(**parameters):
    def misbehave(provider):
        provider.answer = {"code": None, **parameters}

    return misbehave


def reply(path, answer):
    def misbehave(provider):
        provider.replies[path] = answer

    return misbehave


def claim(**claims):
    def misbehave(provider):
        provider.change_token = lambda header, token: token.update(claims)

    return misbehave


def claim_in(seconds, *names):
    def misbehave(provider):
        provider.change_token = lambda header, token: token.update(dict.fromkeys(names, int(time.time()) + seconds))

    return misbehave


def header(**members):
    def misbehave(provider):
        provider.change_token = lambda header, token: header.update(members)

    return misbehave


def person_claims(**claims):
    def misbehave(provider):
        provider.claims |= claims

    return misbehave


def userinfo(**claims):
    def misbehave(provider):
        provider.userinfo = claims

    return misbehave


def forge(change):
    def misbehave(provider):
        provider.replace_token = lambda token: change(provider, token)

    return misbehave


def part(content: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def unsigned(provider, token):
    return f"{part({'alg': 'none'})}.{token.split('.')[1]}."


def signed_with_the_client_secret(provider, token):
    claims = jwt.decode(token, provider.key).claims
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET), algorithms=["HS256"])


def signed_with_another_key(provider, token):
    claims = jwt.decode(token, provider.key).claims
    other = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "kid": provider.key.kid}, claims, other, algorithms=["RS256"])


def altered(provider, token):
    head, body, signature = token.split(".")
    claims = jwt.decode(token, provider.key).claims
    return f"{head}.{part(claims | {'sub': 'admin'})}.{signature}"


MISBEHAVIOUR = {
    "user cancels": (answer(error="access_denied"), "cancelled"),
    "provider sends an error": (answer(error="server_error"), "provider_refused"),
    "error that is no error code": (answer(error="<script>"), "provider_refused"),
    "neither code nor error": (answer(), "provider_unusable"),
    "answer of another issuer": (answer(iss="https://evil.example"), "wrong_issuer"),
    "a code that is spent": (answer(code="spent"), "code_refused"),
    "client is not known": (reply("/token", 401), "client_refused"),
    "token endpoint in trouble": (reply("/token", 500), "provider_unavailable"),
    "token endpoint too slow": (reply("/token", 8.0), "provider_unavailable"),
    "token endpoint answers HTML": (reply("/token", b"<html>"), "provider_unusable"),
    "token endpoint answers without end": (reply("/token", b'"' + b"x" * 300_000 + b'"'), "provider_unusable"),
    "token endpoint redirects": (reply("/token", 302), "provider_unusable"),
    "userinfo in trouble": (reply("/userinfo", 503), "provider_unavailable"),
    "userinfo answers nonsense": (reply("/userinfo", b"[1,2"), "provider_unusable"),
    "userinfo of somebody else": (userinfo(sub="somebody else"), "wrong_subject"),
    "token has expired": (claim_in(-90, "exp"), "clock_skew"),
    "token from the future": (claim_in(3600, "iat", "exp"), "clock_skew"),
    "token for another site": (claim(aud="another"), "wrong_audience"),
    "token for several, given to another": (claim(aud=["another", "x"], azp="another"), "wrong_audience"),
    "token of another issuer": (claim(iss="https://evil.example"), "wrong_issuer"),
    "token of another login": (claim(nonce="another"), "wrong_nonce"),
    "token without subject": (claim(sub=""), "provider_unusable"),
    "algorithm none": (forge(unsigned), "algorithm_not_allowed"),
    "symmetric algorithm": (forge(signed_with_the_client_secret), "algorithm_not_allowed"),
    "altered token": (forge(altered), "bad_signature"),
    "signed with another key": (forge(signed_with_another_key), "bad_signature"),
    "unknown key id": (header(kid="ghost"), "unknown_key"),
    "no token at all": (forge(lambda provider, token: "not.a.token"), "provider_unusable"),
    "no e-mail": (person_claims(email=None), "email_missing"),
    "e-mail not verified": (person_claims(email_verified=False), "email_unverified"),
}


@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_what_goes_wrong_has_its_page_and_trying_again_works(person, provider, name):
    misbehave, expected = MISBEHAVIOUR[name]
    claims = dict(provider.claims)
    misbehave(provider)
    page = person.log_in("/keys")
    assert refusal(page) == expected
    assert not person.is_logged_in
    provider.behave()
    provider.claims = claims
    again = re.search(r'href="/login\?next=([^"]*)"', page.text).group(1)
    assert person.log_in(again).headers["Location"] == "/keys"
    assert person.is_logged_in


def test_an_address_that_is_taken_is_refused_with_its_page(person, site, provider):
    person.log_in()
    other = Person(site, provider, email=person.email.upper())
    page = other.log_in()
    assert refusal(page) == "email_taken"
    assert "belongs to another account" in page.text
    assert not other.is_logged_in
    assert person.is_logged_in


def test_a_disabled_account_is_told_so(person, site):
    person.log_in()
    admin = {"user": 1_000_000, "email": "admin@example.edu", "address": ""}
    site.call("auth", "auth.set_user_disabled", {"user": person.id, "isDisabled": True, "by": admin})
    assert not person.is_logged_in
    page = person.log_in()
    assert refusal(page) == "account_disabled"
    assert not person.is_logged_in


def test_a_login_comes_back_once(person, site):
    back = person.authorize(person.begin())
    attempt = person.cookie("lumen-login-")
    assert person.get(back).status_code == 303
    assert refusal(person.get(back)) == "attempt_used"
    # Not with the cookie that was taken away, either, and from nowhere else.
    person.session.cookies.set_cookie(attempt)
    assert refusal(person.get(back)) == "attempt_used"
    assert refusal(requests.get(site.url + back, allow_redirects=False)) == "attempt_used"


def test_of_two_that_come_back_at_once_one_gets_in(person, site):
    back = person.authorize(person.begin())
    attempt = person.cookie("lumen-login-")

    def come_back(_) -> int:
        cookies = {attempt.name: attempt.value}
        return requests.get(site.url + back, cookies=cookies, allow_redirects=False).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(come_back, range(2))) == [303, 400]


def test_without_the_cookie_the_login_is_lost(person, provider, site):
    back = person.authorize(person.begin())
    person.session.cookies.clear()
    page = person.get(back)
    assert refusal(page) == "attempt_lost"
    assert "cookie" in page.text
    # Nor does the cookie of another attempt help, as of somebody who was sent the address.
    victim = Person(site, provider)
    victim.begin()
    assert refusal(victim.get(back)) == "attempt_lost"
    assert not victim.is_logged_in


def test_forged_states_and_cookies_are_refused(person):
    back = person.authorize(person.begin())
    state = parse_qs(urlsplit(back).query)["state"][0]
    for forged in (state[:-1] + ("A" if state[-1] != "A" else "B"), "", "x" * 44, state + "x"):
        assert refusal(person.get(back.replace(state, forged))) == "attempt_forged"
    assert refusal(person.get("/callback")) == "attempt_forged"
    back = person.authorize(person.begin())
    attempt = person.cookie(f"lumen-login-{parse_qs(urlsplit(back).query)['state'][0][:8]}")
    attempt.value = attempt.value[:-1] + ("A" if attempt.value[-1] != "A" else "B")
    person.session.cookies.set_cookie(attempt)
    assert refusal(person.get(back)) == "attempt_forged"
    assert not person.is_logged_in


def test_logging_in_is_limited_by_address(person, site, provider):
    statuses = [person.get("/login").status_code for _ in range(125)]
    assert statuses[:120] == [303] * 120
    assert statuses[120:] == [429] * 5
    assert int(person.get("/login").headers["Retry-After"]) <= 60
    assert Person(site, provider).log_in().status_code == 303


# What the configuration says, without a restart


def test_another_provider_and_its_faults(person, site, provider):
    ours = site.configuration["oauth2"]

    def wait_for_refusal(address: str, expected: str) -> None:
        site.change_configuration({"oauth2": {"server_metadata_url": address}})

        def is_refused() -> bool:
            page = person.get("/login?next=/keys")
            return page.status_code != 303 and refusal(page) == expected and 'href="/login?next=/keys"' in page.text

        person.wait_for(expected, is_refused)

    try:
        path = "/.well-known/openid-configuration"
        wait_for_refusal(f"http://127.0.0.1:{free_port()}{path}", "provider_unavailable")
        provider.replies[f"/elsewhere{path}"] = json.dumps(provider.metadata()).encode()
        wait_for_refusal(f"{provider.issuer}/elsewhere{path}", "wrong_issuer")
        provider.replies[f"/nonsense{path}"] = b"<html>"
        wait_for_refusal(f"{provider.issuer}/nonsense{path}", "provider_unusable")
    finally:
        site.change_configuration({"oauth2": ours})
    person.wait_for("the old provider", lambda: person.get("/login").status_code == 303)


def test_the_secret_in_the_header(person, site):
    ours = site.configuration["oauth2"]
    with OpenIDProvider() as other:
        other.metadata_changes = {"token_endpoint_auth_methods_supported": None}
        try:
            site.change_configuration({"oauth2": other.configuration(site.url)})
            person.wait_for("the other provider", lambda: person.begin().startswith(other.issuer))
            newcomer = Person(site, other)
            assert newcomer.log_in().status_code == 303
            # The same subject of another issuer is somebody else.
            assert newcomer.is_logged_in
        finally:
            site.change_configuration({"oauth2": ours})
            site.secrets |= other.secrets
    person.wait_for("the old provider", lambda: not person.begin().startswith(other.issuer))


def test_only_institutions_that_are_hinted_at(person, site, provider):
    site.change_configuration({"oauth2": {"params": {"idphint": "urn:mace:incommon:uiuc.edu"}}})
    try:
        person.wait_for("the hint", lambda: "idphint=urn%3Amace%3Aincommon%3Auiuc.edu" in person.begin())
        provider.claims["idp"] = "urn:mace:incommon:uiuc.edu.evil.example"
        assert refusal(person.log_in()) == "institution_not_allowed"
        provider.claims["idp"] = "urn:mace:incommon:uiuc.edu"
        assert person.log_in().status_code == 303
    finally:
        site.change_configuration({"oauth2": {"params": None}})
    person.wait_for("the end of the hint", lambda: "idphint" not in person.begin())


def test_the_log_says_why_to_the_operator(person, site, provider):
    """And the fixture looks for every secret, state, code, verifier and token in the log, when the site has ended."""
    provider.replace_token = lambda token: unsigned(provider, token)
    page = person.log_in()
    lines = [line for line in site.log_lines() if line.get("request_id") == page.headers["x-request-id"]]
    (line,) = [line for line in lines if line.get("refusal")]
    assert line["refusal"] == "algorithm_not_allowed"
    assert person.email not in json.dumps(lines)
