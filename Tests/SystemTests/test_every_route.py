"""Every route as nobody, a disabled user, a foreign user, the user and an admin: `routes.txt` says who may what."""

from pathlib import Path

import requests

from lumen_site import CANARY
from machine import wait_for
from people import ACTOR, ADMIN, People, session_cookie
from wire import credential_hash

TABLE = Path(__file__).with_name("routes.txt")
VISITORS = ("nobody", "disabled", "foreign", "user", "admin")
# The user comes last: what succeeds then was there before, so nobody else has taken it away.
TURNS = ("nobody", "disabled", "foreign", "admin", "user")

QUESTION = {"text": f"Say {CANARY}", "model": "dummy"}
FORMS = {
    "/keys": {"name": "another"},
    "/admin/users": {"email": "made@example.edu"},
    "/admin/users/:id/override": {"pool": "dummy", "max": "5"},
    "/admin/users/:id/override/remove": {"pool": "dummy"},
    "/admin/users/:id/reset": {"pool": "default"},
    "/admin/users/:id/groups": {"group": "chem"},
    "/admin/groups": {"name": "made", "title": ""},
    "/admin/groups/:group/title": {"title": "Chemistry"},
    "/admin/groups/:group/members": {"email": "somebody@example.edu"},
    "/admin/groups/:group/budget": {"pool": "dummy", "max": "5"},
    "/admin/groups/:group/budget/remove": {"pool": "dummy"},
}
BODIES = {
    "/chat/api/conversations": QUESTION,
    "/chat/api/conversations/:conversation": {"title": "Mine"},
    "/chat/api/conversations/:conversation/messages": QUESTION,
    "/v1/chat/completions": {"model": "dummy", "messages": [{"role": "user", "content": CANARY}]},
    "/v1/completions": {"model": "dummy", "prompt": CANARY},
    "/v1/embeddings": {"model": "dummy", "input": CANARY},
}


def test_every_route_as_everybody():
    with People() as people:
        walk = Walk(people)
        wrong = [
            f"{method} {route} as {visitor}: {status} instead of {expected[visitor]}"
            for method, route, expected in rows()
            for visitor in TURNS
            if (status := walk.status(method, route, visitor)) != int(expected[visitor])
        ]
        assert wrong == []


def rows() -> list[tuple[str, str, dict[str, str]]]:
    lines = [line.split() for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return [(method, route, dict(zip(VISITORS, statuses, strict=True))) for method, route, *statuses in lines]


class Walk:
    """The visitors with their sessions and keys, and the things of the user and of somebody that routes name."""

    def __init__(self, people: People):
        self.people, self.site = people, people.site
        self.sessions = {"nobody": requests.Session()}
        self.keys = {}
        for visitor in VISITORS[1:]:
            email = ADMIN if visitor == "admin" else f"{visitor}@example.edu"
            self.sessions[visitor] = people.log_in(email)
            self.keys[visitor] = self.site.create_key(email)
        self.call("auth.create_group", name="chem", title="Chemistry", by=ACTOR)
        somebody = self.call("auth.create_user", email="somebody@example.edu", by=ACTOR)["person"]["id"]
        user = self.site.account(self.keys["user"])["user"]
        self.other_session = people.log_in("user@example.edu")
        turn = self.ask_as_user()
        self.parts = {
            "/assets/:version/**": "/assets/x/site.css",
            "/vendor/:version/**": "/vendor/x/marked.min.js",
            "/v1/models/**": "/v1/models/dummy",
            "/admin/usage.csv": "/admin/usage.csv?by=model",
            "/admin/users/:id": f"/admin/users/{somebody}",
            "/members/:id": f"/members/{somebody}",
            "/keys/:id": f"/keys/{self.key_of(user)}",
            ":key": self.make_key(somebody),
            ":group": "chem",
            ":session": self.session_of(user),
            ":conversation": turn["conversation"],
            ":answer": turn["answer"]["answer"]["id"],
        }
        disabled = self.site.account(self.keys["disabled"])["user"]
        self.call("auth.set_user_disabled", user=disabled, isDisabled=True, by=ACTOR)

    def call(self, method: str, **params):
        return self.site.call("auth", method, params)

    # The user's things

    def key_of(self, user: int) -> int:
        return self.call("auth.list_keys", user=user)[0]["id"]

    def make_key(self, user: int) -> str:
        made = self.call("auth.create_key", owner={"user": {"_0": user}}, name="theirs")
        self.site.secrets.add(made["secret"])
        return str(made["summary"]["id"])

    def session_of(self, user: int) -> str:
        """The one that the user does not walk with."""
        current = credential_hash(
            session_cookie(self.sessions["user"]), self.site.configuration["app"]["secret_key"]
        )
        found = self.call("auth.list_sessions", user=user, current=current)
        return next(session["id"] for session in found if not session["isCurrent"])

    def ask_as_user(self) -> dict:
        turn = self.send("POST", "/chat/api/conversations", "user", json=QUESTION).json()
        self.wait_for_answer(turn["conversation"])
        return turn

    def wait_for_answer(self, conversation: str) -> None:
        def has_ended() -> bool:
            shown = self.send("GET", f"/chat/api/conversations/{conversation}", "user").json()
            return shown["messages"][-1]["answer"]["state"] != "running"

        wait_for("the answer's end", has_ended)

    # Requests

    def status(self, method: str, route: str, visitor: str) -> int:
        if route == "/sessions/:session/end" and visitor == "user":
            # Whoever named it before was told that it is gone, and it was not: an id is no way to find sessions out.
            assert self.other_session.get(f"{self.site.url}/usage", allow_redirects=False).status_code == 200
        options = {}
        if route in BODIES and method in ("POST", "PATCH"):
            options["json"] = BODIES[route]
        elif method == "POST":
            options["data"] = FORMS.get(route, {})
        status = self.send(method, self.path(route), visitor, **options).status_code
        if route.endswith("/messages") and status == 201:
            self.wait_for_answer(self.parts[":conversation"])
        return status

    def path(self, route: str) -> str:
        for part, value in self.parts.items():
            route = route.replace(part, value)
        assert ":" not in route and "*" not in route, route
        return route

    def send(self, method: str, path: str, visitor: str, **options) -> requests.Response:
        headers = {"Origin": self.site.url}
        session = self.sessions[visitor]
        if path.startswith("/v1"):
            session = requests.Session()
            if visitor in self.keys:
                headers["Authorization"] = f"Bearer {self.keys[visitor]}"
        return session.request(
            method, self.site.url + path, headers=headers, allow_redirects=False, timeout=30, **options
        )
