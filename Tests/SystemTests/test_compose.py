"""The container files, as far as they can be checked without an engine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lumen_site import EXECUTABLES
from machine import clean_environment

TOP = Path(__file__).parents[2]
COMPOSE = TOP / "compose"


@pytest.fixture(scope="module")
def composition(tmp_path_factory):
    """The composition with every variable filled in, as docker-compose understands it."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(COMPOSE / "compose.yaml", folder)
    example = (COMPOSE / "env.example").read_text()
    (folder / ".env").write_text(example.replace("POSTGRES_PASSWORD=", "POSTGRES_PASSWORD=secret"))
    command = ["docker-compose", "--project-directory", folder, "--file", folder / "compose.yaml"]
    result = subprocess.run([*command, "config"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return yaml.safe_load(result.stdout)


def test_every_part_is_there(composition):
    parts = {"auth", "ledger", "router", "web", "proxy", "redis", "postgres"}
    assert set(composition["services"]) == parts


def test_services_share_their_sockets_and_are_confined(composition):
    for name in ("auth", "ledger", "router", "web"):
        service = composition["services"][name]
        assert "sockets:/run/lumen:rw" in service["volumes"], name
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["ulimits"]["nofile"] == 65536


def test_data_is_kept_in_the_database_of_the_composition(composition):
    services = composition["services"]
    for name in ("auth", "ledger", "web"):
        assert services[name]["environment"]["DATABASE_URL"] == "postgresql://lumen:secret@postgres/lumen"
        assert services[name]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == "secret"
    assert "max_connections=300" in services["postgres"]["command"]


def test_rate_limits_are_counted_in_the_redis_of_the_composition(composition):
    example = yaml.safe_load((COMPOSE / "config.yaml.example").read_text())
    assert example["rate_limiting"]["storage_url"] == "redis://redis:6379/0"
    networks = (set(composition["services"][name]["networks"]) for name in ("web", "redis"))
    assert "inside" in set.intersection(*networks)


def test_only_the_proxy_has_ports(composition):
    assert [name for name, service in composition["services"].items() if "ports" in service] == ["proxy"]


def test_proxy_network_is_the_trusted_one(composition):
    (network,) = composition["networks"]["front"]["ipam"]["config"]
    example = yaml.safe_load((COMPOSE / "config.yaml.example").read_text())
    assert example["app"]["trusted_proxies"] == [network["subnet"]]


def test_dockerfile_has_no_lint():
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run([hadolint, COMPOSE / "Dockerfile"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_dockerfile_copies_what_there_is():
    lines = (COMPOSE / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]]
    assert copied
    assert [path for path in copied if not (TOP / path).exists()] == []


def test_example_configuration_has_no_complaint():
    names = ("LUMEN_SECRET_KEY", "LUMEN_ENCRYPTION_KEY", "OAUTH2_CLIENT_SECRET")
    image = {"LUMEN_LISTEN": "0.0.0.0:5000", "LUMEN_RUN_DIR": "/run/lumen"}
    result = subprocess.run(
        [EXECUTABLES / "lumen", "check", "--config", COMPOSE / "config.yaml.example"],
        capture_output=True,
        text=True,
        env=clean_environment() | image | dict.fromkeys(names, "s" * 40),
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
