"""Debian's OpenID provider glewlwyd, set up through its own API: a real server, which checks PKCE and adds claims of its own."""

import json
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import requests
from joserfc.jwk import ECKey

from machine import free_port, http_get, wait_for

SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
ADMIN = {"username": "admin", "password": "password"}
CLIENT_ID = "lumen"
CLIENT_SECRET = "glewlwyd-client-secret-0123456789"
SCOPE = "org.cilogon.userinfo"
CLAIMS = ("affiliation", "member_of", "idp", "ou")


class Glewlwyd:
    """A context manager with one client, and one user, `ada`."""

    def __init__(self, redirect_uri: str):
        self.redirect_uri = redirect_uri
        self.folder = Path(tempfile.mkdtemp(prefix="lumen-idp-"))
        self.url = f"http://localhost:{free_port()}"
        self.issuer = f"{self.url}/api/oidc"
        self.discovery = f"{self.issuer}/.well-known/openid-configuration"
        self.admin = requests.Session()
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Glewlwyd":
        with sqlite3.connect(self.folder / "glewlwyd.db") as database:
            database.executescript(SCHEMA.read_text())
            formats = {name: {"multiple": False, "read": True, "write": True} for name in CLAIMS}
            parameters = {"use-glewlwyd-connection": True, "data-format": formats}
            database.execute("UPDATE g_user_module_instance SET gumi_parameters = ?", [json.dumps(parameters)])
        (self.folder / "glewlwyd.conf").write_text(self.configuration())
        with (self.folder / "log").open("wb") as log:
            command = ["glewlwyd", "--config-file", self.folder / "glewlwyd.conf"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for("glewlwyd", lambda: http_get(f"{self.url}/config")[0] == 200, 30)
            self.set_up()
        except BaseException:
            print((self.folder / "log").read_text()[-3000:])
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def configuration(self) -> str:
        modules = "/usr/lib/glewlwyd"
        return f"""
            port={self.url.rsplit(":", 1)[1]}
            external_url="{self.url}"
            api_prefix="api"
            login_url="login.html"
            cookie_secure=0
            session_key="GLEWLWYD"
            admin_scope="g_admin"
            profile_scope="g_profile"
            log_mode="console"
            log_level="ERROR"
            hash_algorithm="SHA512"
            user_module_path="{modules}/user"
            client_module_path="{modules}/client"
            user_auth_scheme_module_path="{modules}/scheme"
            plugin_module_path="{modules}/plugin"
            database={{ type="sqlite3"; path="{self.folder}/glewlwyd.db"; }};
        """

    # Its administration

    def api(self, method: str, path: str, content: dict) -> None:
        reply = self.admin.request(method, f"{self.url}/api/{path}", json=content, timeout=10)
        assert reply.status_code == 200, f"{method} {path}: {reply.status_code} {reply.text}"

    def set_up(self) -> None:
        self.api("POST", "auth/", ADMIN)
        self.api(
            "POST", "scope/", {"name": SCOPE, "display_name": SCOPE, "password_required": False, "scheme": {}}
        )
        plugin = {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": self.plugin()}
        self.api("POST", "mod/plugin", plugin)
        client = {
            "client_id": CLIENT_ID,
            "name": CLIENT_ID,
            "confidential": True,
            "enabled": True,
            "password": CLIENT_SECRET,
            "redirect_uri": [self.redirect_uri],
            "authorization_type": ["code"],
            "token_endpoint_auth_method": ["client_secret_basic", "client_secret_post"],
        }
        self.api("POST", "client/", client)
        self.api("POST", "user/", self.user({}))

    def plugin(self) -> dict:
        key = ECKey.generate_key("P-256")
        off = ("token", "none", "password", "client", "device", "implicit", "refresh")
        return {
            "iss": self.issuer,
            "jwt-type": "ecdsa",
            "jwt-key-size": "256",
            "key": key.as_pem(private=True).decode(),
            "cert": key.as_pem(private=False).decode(),
            "access-token-duration": 3600,
            "refresh-token-duration": 3600,
            "code-duration": 600,
            "allow-non-oidc": False,
            "auth-type-code-enabled": True,
            **{f"auth-type-{name}-enabled": False for name in off},
            "pkce-allowed": True,
            "pkce-required": True,
            "pkce-method-plain-allowed": False,
            "jwks-show": True,
            "subject-type": "public",
            "name-claim": "mandatory",
            "email-claim": "mandatory",
            "scope-claim": "no",
            "claims": [
                {"name": name, "user-property": name, "type": "string", "mandatory": True, "scope": [SCOPE]}
                for name in CLAIMS
            ],
        }

    def user(self, claims: dict) -> dict:
        return {
            "username": "ada",
            "name": "Ada",
            "email": "ada@illinois.edu",
            "enabled": True,
            "password": "ada-password",
            "scope": ["openid", SCOPE],
            **claims,
        }

    # What its user does

    def set_claims(self, **claims) -> None:
        self.api("PUT", "user/ada", self.user(claims))

    def authorize(self, address: str) -> str:
        """Logs Ada in, who agrees to everything; the address that her browser is sent back to."""
        ada = requests.Session()
        login = {"username": "ada", "password": "ada-password"}
        for method, path, content in (
            ("POST", "auth/", login),
            ("PUT", f"auth/grant/{CLIENT_ID}", {"scope": f"openid {SCOPE}"}),
        ):
            reply = ada.request(method, f"{self.url}/api/{path}", json=content, timeout=10)
            assert reply.status_code == 200, f"{path}: {reply.status_code} {reply.text}"
        reply = ada.get(f"{address}&g_continue", allow_redirects=False, timeout=10)
        return reply.headers["Location"]
