"""targets.py - what tmesh is to reach beside the others, and whether it did.

Not here: how anything is measured.
"""

import statistics
from typing import NamedTuple

import catalog
import figures


class Target(NamedTuple):
    what: str
    seen: object  # by figures.Tables: a list, one value for each round
    reach: float
    stretch: float  # None: there is none
    least: bool = False  # the value is to be below, not above
    unit: str = "times"  # or "tasks/s", "s", "share"


def value(system, workload):
    return lambda tables: list(tables.by_round(system, workload).values())


def cpu(system, workload):
    def seen(tables):
        row = tables.row(system, workload)
        return [row.cpu] if row and row.cpu is not None else []

    return seen


def ratio(system, other, workload):
    return lambda tables: figures.ratios(
        tables.by_round(system, workload), tables.by_round(other, workload)
    )


def ratio_in_better_mode(system, other):
    """`other` with the processors free, or all on one: whichever is faster in a round."""
    return lambda tables: figures.ratios(
        tables.by_round(system, "W1"),
        figures.best_by_round(tables.by_round(other, "W1"), tables.by_round(other, "W1-pinned")),
    )


def ratio_to_fastest_broker(system, workload):
    def seen(tables):
        brokers = [s.name for s in catalog.SYSTEMS if s.server]
        fastest = figures.best_by_round(
            *(tables.by_round(name, workload) for name in brokers), least=True
        )
        return figures.ratios(tables.by_round(system, workload), fastest)

    return seen


TARGETS = [
    Target("W1", value("tmesh", "W1"), 700e3, 1.1e6, unit="tasks/s"),
    Target("W1: to `redis-lua`, free or on one processor, whichever is faster",
           ratio_in_better_mode("tmesh", "redis-lua"), 2, 3),
    Target("W1: to `redis-lua1000`, the same",
           ratio_in_better_mode("tmesh", "redis-lua1000"), 2, 3),
    Target("W1: to `celery-rabbit`", ratio("tmesh", "celery-rabbit", "W1"), 300, None),
    Target("W1: processor time per million tasks, all processes", cpu("tmesh", "W1"), 2.8, 1.9,
           least=True, unit="s"),
    Target("W1: two of each, to one of each", ratio("tmesh-two", "tmesh", "W1"), 0.9, 1),
    Target("W2: standalone ventilator, to four hops of libzmq (`zmq-relay`)",
           ratio("tmesh", "zmq-relay", "W2"), 1.35, 1.15, least=True),
    Target("W2: embedded ventilator, to a round trip of libzmq (`zmq-rtt`)",
           ratio("tmesh-embedded", "zmq-rtt", "W2"), 1.35, 1.15, least=True),
    Target("W2: embedded ventilator, to the fastest broker",
           ratio_to_fastest_broker("tmesh-embedded", "W2"), 1, None, least=True),
    Target("W3", value("tmesh", "W3"), 280e3, 450e3, unit="tasks/s"),
    Target("W3: to `redis-lua`", ratio("tmesh", "redis-lua", "W3"), 2.5, 4),
    Target("W3: to `redis-lua1000`", ratio("tmesh", "redis-lua1000", "W3"), 2.5, 4),
    Target("W4", value("tmesh", "W4"), 450e3, 700e3, unit="tasks/s"),
    Target("W4: to `redis-lua`", ratio("tmesh", "redis-lua", "W4"), 1.6, 2.5),
    Target("W4: to `redis-lua1000`", ratio("tmesh", "redis-lua1000", "W4"), 1.6, 2.5),
    Target("W4: to `rabbitmq`", ratio("tmesh", "rabbitmq", "W4"), 20, None),
    Target("`tmesh map true`: to `xargs -P4 -n1`", ratio("tmesh-map", "xargs", "map-true"), 1.5, 2),
    Target("`tmesh map true`: to `parallel -j4`", ratio("tmesh-map", "parallel", "map-true"), 10,
           None),
    Target("idle: the busiest node's share of a processor", value("tmesh-idle", "idle"),
           0.005, 0.001, least=True, unit="share"),
]


class Finding(NamedTuple):
    target: Target
    values: list

    def median(self):
        return statistics.median(self.values) if self.values else None

    def verdict(self):
        """By the median."""
        median = self.median()
        if median is None:
            return "not measured"
        sign = -1 if self.target.least else 1
        if self.target.stretch is not None and sign * median >= sign * self.target.stretch:
            return "stretch"
        return "reached" if sign * median >= sign * self.target.reach else "missed"


def findings(tables):
    return [Finding(target, target.seen(tables)) for target in TARGETS]
