"""Which services die when: the same for the same seed."""

import random
from dataclasses import dataclass

PAUSE_SECONDS = (0.5, 1.5)
# Deaths come in salvos, and then there is a calm in which the load comes back: a ledger on SQLite that finds a web dead
# holds new requests back for 5 s.
SALVO = (4, 8)
CALM_SECONDS = (10, 13)
SERVICES = ("auth", "ledger", "web", "router1", "router2")
# The ledger and the web matter most.
WEIGHTS = (1, 4, 3, 1, 1)
# Two at once, or one shortly after the other.
DOUBLE_SHARE = 0.15
SHORTLY_SECONDS = (0.0, 0.4)


@dataclass(frozen=True)
class Strike:
    """After a pause these die in the same instant."""

    pause: float
    names: tuple


def strikes(seed: int, crashes: int) -> list[Strike]:
    rng = random.Random(seed)
    planned: list[Strike] = []
    left = rng.randint(*SALVO)
    while sum(len(strike.names) for strike in planned) < crashes:
        pause = rng.uniform(*PAUSE_SECONDS)
        left -= 1
        if left < 0:
            pause, left = rng.uniform(*CALM_SECONDS), rng.randint(*SALVO)
        if rng.random() >= DOUBLE_SHARE:
            planned.append(Strike(pause, tuple(rng.choices(SERVICES, WEIGHTS))))
        elif rng.random() < 0.5:
            planned.append(Strike(pause, ("ledger", "web")))
        else:
            first, second = rng.sample(("ledger", "web"), 2)
            planned += [Strike(pause, (first,)), Strike(rng.uniform(*SHORTLY_SECONDS), (second,))]
    return planned
