"""The short form of `make prove`: a few deaths, the same audit. A failure names the command that repeats its schedule."""

import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "Proof"))

from postgres import Postgres  # noqa: E402
from rounds import run_round  # noqa: E402

CRASHES = 12


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_services_that_are_killed_under_load(engine):
    seed = random.SystemRandom().randrange(2**32)
    if engine == "sqlite":
        result = run_round(seed, CRASHES, patient=False)
    else:
        with Postgres() as server:
            result = run_round(seed, CRASHES, server.create_database(), patient=False)
    breaches = result.pop("breaches")
    assert not breaches, f"PROVE_SEED={seed} tools/prove {engine} --crashes {CRASHES}: {breaches[:10]} {result}"
    assert result["whole"] > 0 and result["posted"] > 0, f"nothing happened: {result}"
