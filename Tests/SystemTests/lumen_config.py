"""The configuration that the system tests start from, and changes to it."""

import copy

# A budget that no test uses up.
PLENTY = {"max": 10**12, "refresh": 0}


def base_configuration(web_port: int) -> dict:
    return {
        "app": {
            "name": "Lumen",
            "secret_key": "system-tests-secret-key-0123456789abcdef",
            "encryption_key": "system-tests-encryption-key-0123456789",
            "database_url": "sqlite:///lumen.db",
            "debug": True,
            "dev_user": "dev@example.com",
            "listen": f"127.0.0.1:{web_port}",
            "public_url": f"http://localhost:{web_port}",
            "run_dir": "run",
        },
        "rate_limiting": {"limit": "100000 per minute"},
        "routing": {"drain": 5},
        "groups": {"default": {"default": PLENTY}},
    }


def model(members: str | dict, backend_url: str) -> dict:
    """A member of `models`, from a name of the echo backend's or from members, whose `remote` is such a name.

    Members without `endpoints` get one at the echo backend.
    """
    members = {"name": members} if isinstance(members, str) else dict(members)
    remote = members.pop("remote", members["name"])
    endpoint = {"url": backend_url, "api_key": "backend-key-0123456789", "model": remote}
    return {"endpoints": [endpoint], **members}


def merged(configuration: dict, changes: dict) -> dict:
    """Objects are merged, everything else is replaced; None removes a member."""
    result = copy.deepcopy(configuration)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result
