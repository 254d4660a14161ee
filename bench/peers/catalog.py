"""catalog.py - the workloads, and the systems that are measured: how each is run, on
which workloads, with how many tasks, and under which settings.

Not here: servers, processes, figures.  What each promises is in README.md.
"""

from typing import NamedTuple, Optional


class Workload(NamedTuple):
    name: str
    title: str
    kind: str  # what the programs are told: W1 .. W4
    pinned: bool = False  # everything on one processor
    reference: str = "tmesh"  # the system that the others are compared with
    measure: str = "rate"  # or "latency", or "share": of a processor
    usual: bool = True  # run when nothing is chosen
    size: Optional[int] = None  # of each payload and result; None: 100, for all systems


SIZES = {"10B": 10, "1K": 1024, "16K": 16 * 1024, "64K": 64 * 1024, "1M": 1024 * 1024}
SIZE_TITLES = {"10B": "10 bytes", "1K": "1 KiB", "16K": "16 KiB", "64K": "64 KiB", "1M": "1 MiB"}


def sized(kind, about):
    """A workload for each size; run only if asked for."""
    return [
        Workload(f"{kind}-{name}", f"{about} of {SIZE_TITLES[name]}", kind, usual=False, size=size)
        for name, size in SIZES.items()
    ]


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", "throughput, at least once, nothing on disk", "W1"),
        Workload("W1-pinned", "the same, all processes on one processor", "W1", pinned=True),
        Workload("W2", "latency, one task in flight, all processes on one processor", "W2",
                 pinned=True, measure="latency"),
        Workload("W2-free", "latency, one task in flight, processors free", "W2",
                 measure="latency", usual=False),
        Workload("W3", "throughput, on disk", "W3"),
        Workload("W4", "throughput, each task with a result of 100 bytes", "W4"),
        *sized("W1", "throughput, payloads"),
        *sized("W4", "throughput, payloads and results"),
        Workload("map-true", "a process for each line, four at a time: true", "map",
                 reference="tmesh-map"),
        Workload("map-sha256sum", "a process for each line, four at a time: sha256sum of 4 KiB",
                 "map", reference="tmesh-map"),
        Workload("map-sleep", "a process for each line, four at a time: sleep 0.1", "map",
                 reference="tmesh-map"),
        Workload("idle", "what a node takes of a processor when there is nothing to do", "idle",
                 reference="", measure="share"),
    )
}

WARM_UP = 300  # of W2
QUICK_SHARE = 5  # of the tasks of a whole run, one in so many
QUICK_LEAST = 200
QUICK_RUNS, RUNS = 3, 5
SIZED_RUNS = 3  # of so many more workloads


class System(NamedTuple):
    name: str
    program: str
    mode: str
    server: Optional[str]  # a key of servers.STARTS
    tasks: dict  # workload: how many, about two seconds' worth; missing: not run
    settings: dict  # kind of workload: text; "" for those that are not named
    kind: str = "peer"  # or "tmesh", or "limit": it may lose tasks

    def count(self, workload, quick):
        tasks = self.tasks[workload.name]
        return max(tasks // QUICK_SHARE, min(tasks, QUICK_LEAST)) if quick else tasks

    def setting(self, workload):
        return self.settings.get(workload.kind, self.settings.get("", ""))


def counts(w1=0, w2=0, w3=0, w4=0, pinned=0):
    given = {"W1": w1, "W1-pinned": pinned, "W2": w2, "W2-free": w2, "W3": w3, "W4": w4}
    return {workload: tasks for workload, tasks in given.items() if tasks}


# About a second's worth.
SIZED_TASKS = {"10B": 600000, "1K": 300000, "16K": 25000, "64K": 8000, "1M": 600}


def with_sizes(tasks, *kinds):
    """The same, and as many of each size for all systems."""
    more = {f"{kind}-{name}": n for kind in kinds for name, n in SIZED_TASKS.items()}
    return {**tasks, **more}


def tmesh(name, *options, about):
    tasks = counts(2000000, 5000, 1000000, 1000000, pinned=1000000)
    return System(
        name, "tmesh", " ".join(options), None, with_sizes(tasks, "W1", "W4"),
        {"": about, "W3": f"{about}; journal synced before each ACCEPT"}, kind="tmesh",
    )


def limit(mode, about, *kinds, **tasks):
    return System(
        f"zmq-{mode}", "zmq", mode, None, with_sizes(counts(**tasks), *kinds),
        {"": f"no promise; {about}; 1000 in flight, 64 MiB at most",
         "W2": f"no promise; {about}"},
        kind="limit",
    )


def redis(mode, put, take, settle, *kinds, batch=100, **tasks):
    fast = f"{put} of {batch}; {take} of {batch}, {settle}"
    return System(
        f"redis-{mode}", "redis", mode, "redis", with_sizes(counts(**tasks), *kinds),
        {
            "": fast,
            "W2": f"{put}, BLPOP in one write; {'XREADGROUP' if take[0] == 'X' else 'BLMOVE'}, "
                  f"{settle} and RPUSH in one",
            "W3": f"{fast}; appendonly yes, appendfsync always",
            "W4": f"{fast}; RPUSH of the results, BLMPOP of {batch}",
        },
    )


def rabbitmq(name, mode, **tasks):
    about = f"{mode} queue, confirms window 1000, prefetch 500, ack of 100"
    return System(
        name, "rabbitmq", mode, "rabbitmq", counts(**tasks),
        {
            "": f"{about}; transient",
            "W2": f"{mode} queue, ack of each, direct reply-to; transient",
            "W3": f"{about}; durable, persistent",
            "W4": f"{mode} queue, window 1000, prefetch 500, direct reply-to; transient",
        },
    )


def nats(mode, kind="peer", settings=None, **tasks):
    return System(f"nats-{mode}", "nats", mode, "nats", counts(**tasks), settings, kind=kind)


def celery(mode, server, backend, durable, **tasks):
    tuned = "-P solo, acks_late, prefetch 500, no gossip, mingle, heartbeat; one publisher; JSON"
    results = f"{tuned}; results by {backend}"
    return System(
        f"celery-{mode}", "celery", mode, server, counts(**tasks),
        {"": tuned, "W2": results, "W3": f"{tuned}; {durable}", "W4": results},
    )


def starter(name, *argv, lines=8000):
    """Of a process for each line of input; `map`'s lines are in mapping.py."""
    return System(
        name, "map", " ".join(argv), None,
        {"map-true": lines, "map-sha256sum": lines // 2, "map-sleep": 100},
        {"": " ".join(argv)}, kind="tmesh" if name == "tmesh-map" else "peer",
    )


# tmesh is first, and a relay and the Redis script follow: what is compared most closely
# runs close together.
SYSTEMS = [
    tmesh("tmesh", about="one ventilator, tcp, worker threads"),
    tmesh("tmesh-embedded", "--embedded", about="ventilator in the producer, tcp, worker threads"),
    System("tmesh-two", "tmesh", "--producers 2 --ventilators 2 --workers 2", None,
           counts(2000000), {"": "two of each: producers, ventilators, workers; tcp"},
           kind="tmesh"),
    System("zmq-pushpull", "zmq", "pushpull", None, with_sizes(counts(5000000), "W1"),
           {"": "no promise; 1 hop, no answer"}, kind="limit"),
    limit("rtt", "2 hops: DEALER to ROUTER and back", w2=5000),
    limit("chain", "3 hops: producer, relay, worker, producer", "W1", "W4",
          w1=1000000, w2=5000, w4=1000000),
    limit("relay", "4 hops: to the worker by a relay, and back by it", "W1", "W4",
          w1=1000000, w2=5000, w4=1000000),
    nats("core", kind="limit", w1=1000000, w2=5000, w4=1000000,
         settings={"": "no promise; queue group, 20000 in flight",
                   "W2": "no promise; queue group"}),
    redis("lua", "RPUSH", "script LPOP, RPUSH", "LTRIM", "W1", "W4",
          w1=1000000, w2=5000, w3=200000, w4=1000000, pinned=1000000),
    redis("lua1000", "RPUSH", "script LPOP, RPUSH", "LTRIM", batch=1000,
          w1=1000000, w3=400000, w4=1000000, pinned=1000000),
    redis("lease", "RPUSH", "script LPOP, ZADD of a lease for each", "ZREM", "W1", "W4",
          w1=600000, w3=200000, w4=600000, pinned=600000),
    redis("stream", "XADD", "XREADGROUP", "XACK", w1=400000, w2=5000, w3=100000, w4=400000),
    redis("streamdel", "XADD", "XREADGROUP", "XACK, XDEL",
          w1=300000, w2=5000, w3=100000, w4=300000),
    redis("list", "RPUSH", "LMOVE", "LREM", w1=400000, w2=5000, w3=100000, w4=400000),
    rabbitmq("rabbitmq", "classic", w1=100000, w2=5000, w3=50000, w4=50000),
    rabbitmq("rabbitmq-quorum", "quorum", w3=50000),
    nats("js", w1=150000, w2=5000, w3=150000, w4=150000, settings={
        "": "work queue in memory, 4000 publishes unacknowledged, fetch 500, ack of each",
        "W2": "work queue in memory, pushed, ack of each",
        "W3": "work queue in files, no sync for each message, 4000 publishes unacknowledged, "
              "fetch 500, ack of each",
    }),
    System("beanstalkd", "beanstalkd", "", "beanstalkd", counts(40000, 5000, 2000, 20000),
           {"": "pipeline 100", "W3": "pipeline 100; -b, -f0", "W2": "result tube",
            "W4": "pipeline 100; result tube"}),
    System("gearman", "gearman", "", "gearman", counts(20000, 5000, 300, 15000),
           {"": "-t 2; background jobs, 1000 for each run_tasks", "W2": "-t 2; foreground job",
            "W3": "-t 2 -q libsqlite3; background jobs, 1000 for each run_tasks",
            "W4": "-t 2; foreground jobs, 1000 for each run_tasks"}),
    celery("rabbit", "rabbitmq", "rpc://", "persistent messages, no confirms",
           w1=5000, w2=1000, w3=5000, w4=2000),
    celery("redis", "redis", "Redis", "appendfsync always", w1=2000, w2=1000, w3=1000, w4=1000),
    starter("tmesh-map", "tmesh", "map", "--slots", "4", "--"),
    starter("xargs", "xargs", "-P4", "-n1"),
    starter("parallel", "parallel", "--will-cite", "-j4", lines=2000),
    System("tmesh-idle", "idle", "", None, {"idle": 5},
           {"": "a ventilator, a worker and a producer, connected: the one that takes most"},
           kind="tmesh"),
]


def chosen(names):
    """The systems of these names or families; None: all.  Raises KeyError for a name
    that is none."""
    if names is None:
        return SYSTEMS
    for name in names:
        if not any(belongs(system, name) for system in SYSTEMS):
            raise KeyError(name)
    return [system for system in SYSTEMS if any(belongs(system, name) for name in names)]


def belongs(system, name):
    return system.name == name or system.name.startswith(f"{name}-")
