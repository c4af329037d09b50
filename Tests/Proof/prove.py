"""`make prove`: that nothing is overspent, lost or leaked, whatever is killed. Minutes; prints a summary and JSON lines.

1. A million simulated requests (`SimulationTests`), whose ledger and web crash between any two steps.
2. For each engine a whole site under load, of which 200 services are killed; see `rounds.py`.
3. The tests of the ledger's promises (`PROMISES`) at their full size.
4. Those of failover and of routers that come and go (`ROUTERS`) at theirs, with the executables of a release, for the rate.

What fails prints its seed; `PROVE_SEED=N make prove` runs it again.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
sys.path.insert(0, str(TOP / "Tests" / "SystemTests"))

from postgres import Postgres  # noqa: E402
from rounds import run_round  # noqa: E402

PROMISES = ("test_ledger_promises.py", "test_ledger_disk.py", "test_cut_streams.py")
ROUTERS = ("test_failover.py", "test_routers.py", "test_vanished_host.py")
PARTS = ("simulation", "sqlite", "postgres", "promises", "routers")
SIMULATED_REQUESTS = 1_000_000
CRASHES = 200
# With fewer answers, or with no budget that runs out, it would prove little that nothing is overspent.
LEAST_ANSWERED = 0.25
# One for each core.
SIMULATIONS = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these of {', '.join(PARTS)}")
    parser.add_argument("--requests", type=int, default=SIMULATED_REQUESTS, help="simulated in all")
    parser.add_argument("--crashes", type=int, default=CRASHES, help="of each engine")
    options = parser.parse_args()
    if strangers := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(strangers)}")
    seed = int(os.environ.get("PROVE_SEED") or random.SystemRandom().randrange(2**32))
    print(f"PROVE_SEED={seed}", flush=True)
    ways = {
        "simulation": lambda: simulate(seed, options.requests),
        "sqlite": lambda: kill_services(seed, options.crashes, None),
        "postgres": lambda: kill_services_on_postgres(seed, options.crashes),
        "promises": lambda: run_tests(PROMISES),
        "routers": replace_routers,
    }
    failed = [part for part in options.parts or PARTS if not ways[part]()]
    for part in failed:
        again = f"PROVE_SEED={seed} tools/prove {part}"
        if part in ("sqlite", "postgres"):
            again += f" --crashes {options.crashes}"
        print(f"FAILED: {part}. Again: {again}", file=sys.stderr)
    return 1 if failed else 0


def simulate(seed: int, requests: int) -> bool:
    """Splits the requests over the cores. A round that fails prints the seed with which it can be run alone."""
    # What `swift test` runs, which would have one wait for the other.
    tests = Path(os.environ["LUMEN_BIN"]) / "lumenPackageTests.xctest"
    command = [tests, "--filter", "SimulationTests", "--testing-library", "swift-testing"]
    running = []
    for number in range(SIMULATIONS):
        # Hashes that differ from run to run would take the steps in another order.
        variables = {
            "PROVE_SEED": str(seed + number * 2**32),
            "PROVE_REQUESTS": str(requests // SIMULATIONS),
            "SWIFT_DETERMINISTIC_HASHING": "1",
        }
        running.append(
            subprocess.Popen(
                command, cwd=TOP, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
    outputs = [process.communicate()[0] for process in running]
    for output in outputs:
        print("\n".join(re.findall(r"^simulation: .*$|^.*PROVE_SEED=.*$", output, re.MULTILINE)) or output, flush=True)
    return all(process.returncode == 0 for process in running)


def kill_services_on_postgres(seed: int, crashes: int) -> bool:
    with Postgres() as server:
        return kill_services(seed, crashes, server.create_database())


def kill_services(seed: int, crashes: int, url: str | None) -> bool:
    result = run_round(seed, crashes, url)
    breaches = result.pop("breaches") + weaknesses(result)
    print(summary(result))
    print(json.dumps(result), flush=True)
    print("\n".join(breaches[:50]), file=sys.stderr, end="\n" if breaches else "", flush=True)
    return not breaches


def weaknesses(result: dict) -> list[str]:
    answered = result["statuses"].get("200", 0) / max(1, result["requests"])
    what = {
        f"only {answered:.0%} of the requests were answered": answered >= LEAST_ANSWERED,
        "no budget ran out": result["codes"].get("insufficient_quota", 0) > 0,
        "no request was billed": result["posted"] > 0,
    }
    return [sentence for sentence, holds in what.items() if not holds]


def replace_routers() -> bool:
    if subprocess.run(["tools/build", "release"], cwd=TOP).returncode != 0:
        return False
    return run_tests(ROUTERS, LUMEN_BIN=str(TOP / ".build" / "release"))


def run_tests(names: tuple[str, ...], **variables: str) -> bool:
    command = [sys.executable, "-m", "pytest", "-s", *(f"Tests/SystemTests/{name}" for name in names)]
    return subprocess.run(command, cwd=TOP, env=os.environ | {"PROVE_FULL": "1"} | variables).returncode == 0


def summary(result: dict) -> str:
    deaths = ", ".join(f"{name} {count}" for name, count in result["crashes_of"].items())
    unbilled = result["unbilled"]
    lines = [
        f"{result['engine']}: seed {result['seed']}, {result['crashes']} crashes ({deaths}) in {result['seconds']} s",
        f"  {result['requests']} requests: {result['statuses']}; {result['whole']} answered whole, {result['cut']} cut; "
        f"{result['refused_connections']} connections refused",
        f"  tokens granted {result['granted']}, posted {result['posted']}, written off {result['written_off']}",
        f"  billed as lost {result['outcomes'].get('lost', 0)}, corrections {result['corrections']}",
        *(f"  unbilled, {cause}: {sums['tokens']} tokens of {sums['requests']}" for cause, sums in unbilled.items()),
        f"  most unbilled of one request {result['unbilled_most']} (bound {result['unbilled_bound']}, "
        "and what a stream makes while there is no ledger)",
        f"  overspent {result['overspent']}, lost posts {result['lost_posts']}, "
        f"leaked reservations {result['leaked_reservations']}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
