"""celery_peer.py - Celery, tuned, with the options and the line of JSON of trial.h.

Modes: `rabbit` and `redis`, the broker.  The worker runs in the solo pool, with late
acknowledgement and a prefetch of 500, without gossip, mingle, heartbeat or events;
the producer keeps one publisher; messages are JSON.  Results come back through
rpc:// or a Redis result backend.

Celery tells nobody when an acknowledgement was sent: what ends W1 and W3 is the
return of the last handler.  Its worker gets WARM_UP tasks before time runs.
"""

import argparse
import json
import logging
import mmap
import os
import signal
import struct
import sys
import time
import warnings

import celery
import celery.signals

PAYLOAD_BYTES = 100
WARM_UP = 200
SCHEDULER_CLOCK = 2  # of the clocks that a process number selects
PREFETCH = 500


class Integrity(Exception):
    """A task was lost, repeated or changed."""


# --- what the two processes share -------------------------------------------------


class Ledger:
    """How often each task was handled, and when the last one was."""

    def __init__(self, tasks):
        self.tasks = tasks
        self.times = mmap.mmap(-1, tasks)
        self.ended = mmap.mmap(-1, 8)
        self.words_out, self.words_in = os.pipe()

    def say(self, word):
        os.write(self.words_in, word)

    def hear(self, word):
        heard = os.read(self.words_out, 1)
        if heard != word:
            raise Integrity("the processes' order is not as it should be")

    def end(self):
        self.ended[:] = struct.pack("=q", time.monotonic_ns())
        self.say(b"e")

    def count(self):
        """(lost, repeated)"""
        times = self.times[:]
        return times.count(0), sum(byte - 1 for byte in times if byte > 1)


def payload_of(number):
    return str(number).zfill(20).ljust(PAYLOAD_BYTES, "x")


def number_in(payload, tasks):
    if len(payload) != PAYLOAD_BYTES:
        raise Integrity(f"a payload of {len(payload)} bytes")
    number = int(payload[:20])
    if number >= tasks:
        raise Integrity(f"there is no task {number}")
    return number


# --- Celery -----------------------------------------------------------------------


def application(options):
    """The app, as both processes use it."""
    results = options.workload in ("W2", "W4")
    if options.mode == "redis":
        broker = backend = f"redis://127.0.0.1:{options.port}/0"
    else:
        broker, backend = f"amqp://guest:guest@127.0.0.1:{options.port}//", "rpc://"
    app = celery.Celery("peer", broker=broker, backend=backend if results else None)
    app.conf.update(
        task_serializer="json", result_serializer="json", accept_content=["json"],
        task_ignore_result=not results, task_acks_late=True,
        worker_prefetch_multiplier=PREFETCH, worker_concurrency=1,
        task_default_delivery_mode="persistent" if options.workload == "W3" else "transient",
        broker_heartbeat=0, worker_send_task_events=False, worker_enable_remote_control=False,
        result_persistent=False,
        # A queue of its own: RabbitMQ outlives a run, and with it what a failed one left.
        task_default_queue=f"tasks-{os.getpid()}",
    )
    return app


def register(app, ledger, options):
    """The one task.  It knows the last one by its count, in the worker's process."""
    handled = 0
    returns = options.workload in ("W2", "W4")

    @app.task(name="task")
    def task(payload):
        nonlocal handled
        number = number_in(payload, ledger.tasks)
        ledger.times[number] = min(ledger.times[number] + 1, 255)
        handled += 1
        if handled == WARM_UP:
            ledger.say(b"w")
        if handled == ledger.tasks and not returns:
            ledger.end()
        return payload if returns else None

    return task


def be_worker(app, ledger):
    @celery.signals.worker_ready.connect(weak=False)
    def ready(**_):
        ledger.say(b"r")

    warnings.simplefilter("ignore")  # that root should not do this
    app.worker_main([
        "--quiet", "worker", "--pool=solo", "--concurrency=1", "--without-gossip",
        "--without-mingle", "--without-heartbeat", "--loglevel=CRITICAL",
    ])


def start_worker(app, ledger):
    supervisor = os.getpid()
    process = os.fork()
    if process:
        return process
    try:
        watch_parent(supervisor)
        be_worker(app, ledger)
    finally:
        os._exit(1)


def watch_parent(supervisor):
    """Ends this process with the one that started it."""
    def look(*_):
        if os.getppid() != supervisor:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)


# --- the workloads ----------------------------------------------------------------


def submit(task, numbers, producer):
    return [task.apply_async((payload_of(n),), producer=producer) for n in numbers]


def take(result, number, tasks):
    if number_in(result.get(timeout=60), tasks) != number:
        raise Integrity("the result of another task")


def run_singly(task, ledger, producer):
    """Microseconds of each task, one after the other."""
    latencies = []
    for number in range(WARM_UP, ledger.tasks):
        start = time.monotonic_ns()
        take(submit(task, [number], producer)[0], number, ledger.tasks)
        latencies.append((time.monotonic_ns() - start) / 1000)
    return latencies


def run(task, ledger, options, producer):
    """Returns the latencies, or None; time has ended when it returns."""
    numbers = range(WARM_UP, ledger.tasks)
    if options.workload == "W2":
        latencies = run_singly(task, ledger, producer)
        ledger.end()
        return latencies
    results = submit(task, numbers, producer)
    if options.workload == "W4":
        for number, result in zip(numbers, results):
            take(result, number, ledger.tasks)
        ledger.end()
    return None


def warm_up(task, ledger, options, producer):
    results = submit(task, range(WARM_UP), producer)
    if options.workload in ("W2", "W4"):
        for number, result in enumerate(results):
            take(result, number, ledger.tasks)
    ledger.hear(b"w")


# --- what was used ----------------------------------------------------------------


def cpu_seconds(process):
    """Since its start.  One that is gone, as a server's passing helper may be: 0."""
    try:
        return time.clock_gettime(~process << 3 | SCHEDULER_CLOCK)
    except OSError:
        return 0.0


def cpu_of(processes):
    return {process: cpu_seconds(process) for process in processes}


def forget_peak(process):
    try:
        with open(f"/proc/{process}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


def peak_bytes(process):
    try:
        with open(f"/proc/{process}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def percentiles(latencies):
    if latencies is None:
        return None
    ordered = sorted(latencies)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
    found = {name: round(ordered[int(len(ordered) * share)], 1) for name, share in shares.items()}
    return {**found, "max": round(ordered[-1], 1)}


def measure(options):
    ledger = Ledger(options.tasks + WARM_UP)
    app = application(options)
    task = register(app, ledger, options)
    worker = start_worker(app, ledger)
    try:
        ledger.hear(b"r")
        processes = [worker, os.getpid(), *options.broker]
        with app.producer_pool.acquire(block=True) as producer:
            warm_up(task, ledger, options, producer)
            for process in options.broker:
                forget_peak(process)
            before, start = cpu_of(processes), time.monotonic_ns()
            latencies = run(task, ledger, options, producer)
            ledger.hear(b"e")
        used = sum(max(0.0, now - before[process]) for process, now in cpu_of(processes).items())
        peak = sum(map(peak_bytes, processes))
    finally:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    seconds = (struct.unpack("=q", ledger.ended[:])[0] - start) / 1e9
    lost, repeated = ledger.count()
    return {
        "system": f"celery-{options.mode}", "workload": options.workload, "tasks": options.tasks,
        "payload_bytes": PAYLOAD_BYTES, "seconds": seconds,
        "tasks_per_second": options.tasks / seconds,
        "cpu_seconds_per_million": used / options.tasks * 1e6, "peak_rss_bytes": peak,
        "lost": lost, "repeated": repeated, "latency_us": percentiles(latencies),
    }


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workload", required=True, choices=["W1", "W2", "W3", "W4"])
    parser.add_argument("--tasks", required=True, type=int)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--mode", required=True, choices=["rabbit", "redis"])
    parser.add_argument("--broker", type=int, action="append", default=[])
    parser.add_argument("--timeout", type=int, default=120)
    return parser.parse_args()


def out_of_time(*_):
    raise Integrity("not all tasks were handled in time")


def main():
    options = read_options()
    logging.disable(logging.ERROR)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(options.timeout)
    try:
        answer = measure(options)
    except Integrity as problem:
        print(f"FAILED INTEGRITY: {problem}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    if answer["lost"] or answer["repeated"]:
        print(f"INTEGRITY: {answer['lost']} lost, {answer['repeated']} repeated", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
