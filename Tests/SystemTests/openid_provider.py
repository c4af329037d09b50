"""An OpenID provider in the test's own process that does as it should until a test makes it misbehave."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT_ID = "cilogon:/client_id/4711"
CLIENT_SECRET = "client-secret-0123456789 +&:"


class OpenIDProvider:
    """A context manager. Logs everyone in at once as whoever `claims` describes; code flow with PKCE S256.

    A test sets what is to go wrong:
    - claims: of the next login; `sub` among them. `userinfo` replaces what the userinfo endpoint says.
    - change_token: gets the ID token's header and claims before they are signed, and may change them.
    - replace_token: gets the signed ID token, gives what is sent instead.
    - replies: what a path answers instead: a status, bytes, or a number of seconds to wait as a float.
    - answer: what the browser is sent back with instead of a code.
    """

    def __init__(self):
        self.claims: dict = {}
        self.userinfo: dict = {}
        self.change_token: Callable[[dict, dict], None] = lambda header, claims: None
        self.replace_token: Callable[[str], str] = lambda token: token
        self.replies: dict[str, int | float | bytes] = {}
        self.answer: dict = {}
        self.key = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig", "alg": "RS256"})
        self.published: list = [self.key]
        self.metadata_changes: dict = {}
        # What only the provider and Lumen may ever know, and no log.
        self.secrets: set[str] = {CLIENT_SECRET}
        self.codes: dict[str, dict] = {}
        self.authorizations: list[dict] = []
        self.requests: list[str] = []
        self.server = self.make_server()
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "OpenIDProvider":
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()

    def behave(self) -> None:
        """Forgets all misbehaviour."""
        self.claims, self.userinfo, self.replies, self.answer, self.metadata_changes = {}, {}, {}, {}, {}
        self.change_token = lambda header, claims: None
        self.replace_token = lambda token: token

    def configuration(self, site_url: str) -> dict:
        """The section `oauth2` of a site."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "server_metadata_url": f"{self.issuer}/.well-known/openid-configuration",
            "redirect_uri": f"{site_url}/callback",
            "scopes": "openid email profile org.cilogon.userinfo",
        }

    # What a provider does

    def metadata(self) -> dict:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        } | self.metadata_changes

    def authorize(self, query: dict) -> str:
        """Where the browser goes next."""
        self.authorizations.append(query)
        self.secrets |= {query["state"], query["nonce"]}
        code = secrets.token_urlsafe(24)
        self.secrets.add(code)
        self.codes[code] = query
        back = {"code": code, "state": query["state"]} | self.answer
        return query["redirect_uri"] + "?" + urlencode({name: text for name, text in back.items() if text is not None})

    def token(self, form: dict, authorization: str | None) -> tuple[int, dict]:
        if self.client(form, authorization) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        query = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        self.secrets.add(form["code_verifier"])
        if query is None or query["code_challenge"] != challenge.decode():
            return 400, {"error": "invalid_grant"}
        token = self.replace_token(self.id_token(query))
        access = secrets.token_urlsafe(24)
        self.secrets |= {token, access}
        return 200, {"access_token": access, "token_type": "Bearer", "id_token": token}

    @staticmethod
    def client(form: dict, authorization: str | None) -> tuple[str, str]:
        if authorization is None:
            return form.get("client_id", ""), form.get("client_secret", "")
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return unquote(name), unquote(secret)

    def id_token(self, query: dict) -> str:
        now = int(time.time())
        header = {"alg": self.key.get("alg"), "kid": self.key.kid}
        claims = {
            "iss": self.issuer,
            "sub": self.claims["sub"],
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
        }
        self.change_token(header, claims)
        return jwt.encode(header, claims, self.key, algorithms=[header["alg"]])

    # Keys

    def rotate(self, kind: str = "RS256") -> None:
        """Signs with a new key from now on, and publishes it beside the others."""
        options = {"kid": secrets.token_hex(4), "use": "sig", "alg": kind}
        self.key = RSAKey.generate_key(2048, options) if kind == "RS256" else ECKey.generate_key("P-256", options)
        self.published = [*self.published, self.key]

    # HTTP

    def make_server(self) -> ThreadingHTTPServer:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.route("")

            def do_POST(self):
                self.route(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def route(self, body: str):
                address = urlsplit(self.path)
                provider.requests.append(address.path)
                reply = provider.replies.get(address.path)
                if isinstance(reply, float):
                    time.sleep(reply)
                    reply = 503
                if isinstance(reply, int):
                    return self.answer(reply, b"{}")
                if isinstance(reply, bytes):
                    return self.answer(200, reply)
                if address.path == "/authorize":
                    return self.answer(303, b"", Location=provider.authorize(fields(address.query)))
                if address.path == "/token":
                    status, document = provider.token(fields(body), self.headers["Authorization"])
                    return self.answer(status, json.dumps(document).encode())
                documents = {
                    "/.well-known/openid-configuration": provider.metadata,
                    "/keys": lambda: {"keys": [key.as_dict(private=False) for key in provider.published]},
                    "/userinfo": lambda: provider.claims | provider.userinfo,
                }
                if address.path not in documents:
                    return self.answer(404, b"{}")
                self.answer(200, json.dumps(documents[address.path]()).encode())

            def answer(self, status: int, body: bytes, **headers: str):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A client that left is no news."""

        return Server(("127.0.0.1", 0), Handler)


def fields(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
