"""servers.py - the brokers of the systems: on loopback, on a free port, in a directory
of their own, and ended by process id.  Each is started fresh for a run, but for those
that take seconds to start: these are kept, and stand still between their runs.

Not here: what is run against them.  The packages' own services are not touched.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 20
SCHEDULER_CLOCK = 2  # of the clocks that a process number selects
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class Failed(Exception):
    """A server cannot be used; the text says why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def family(process):
    """A process and all that descend from it."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(after_name[1]), []).append(int(entry.name))
    found = [process]
    for parent in found:
        found += children.get(parent, [])
    return found


def seconds_of(process):
    """The processor time of a process, by the clock that its number selects; 0 if it
    is gone."""
    try:
        return time.clock_gettime(~process << 3 | SCHEDULER_CLOCK)
    except OSError:
        return 0.0


def seconds_of_all(running):
    """The same of a process that we started, and of all that descend from it."""
    return sum(map(seconds_of, family(running.pid)))


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Failed(f"{name} is not installed")
    return path


class Server:
    """One broker.  `parts` are the processes we started, the broker last."""

    def __init__(self, data):
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="server-", dir=data))
        self.parts = []

    def spawn(self, *argv, environment=None):
        with open(self.folder / "log", "ab") as log:
            self.parts.append(
                subprocess.Popen(
                    [str(word) for word in argv], cwd=self.folder, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, start_new_session=True,
                    env={**os.environ, **(environment or {})},
                )
            )

    def processes(self):
        return [found for part in self.parts for found in family(part.pid)]

    def signal(self, number):
        for process in self.processes():
            with contextlib.suppress(OSError):
                os.kill(process, number)

    def seconds(self):
        return sum(map(seconds_of, self.processes()))

    def log_end(self):
        lines = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"

    def await_answer(self, hello, answer):
        """Waits until the port answers this greeting so."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.parts[-1].poll() is not None:
                raise Failed(f"the server ended at its start: {self.log_end()}")
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                    probe.sendall(hello)
                    if probe.recv(256).startswith(answer):
                        return
            time.sleep(0.02)
        raise Failed(f"no answer from the server within {START_SECONDS_MAX} s: {self.log_end()}")

    def stop(self):
        for part in reversed(self.parts):
            family_then = family(part.pid)
            if part.poll() is None:
                part.send_signal(signal.SIGTERM)
            try:
                part.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                part.kill()
                part.wait()
            end_orphans(part.pid, family_then[1:])
        shutil.rmtree(self.folder, ignore_errors=True)


def end_orphans(session, processes):
    """Ends what is left of a server's children, if they are still of its session."""
    for process in processes:
        with contextlib.suppress(OSError):
            if os.getsid(process) == session:
                os.kill(process, signal.SIGKILL)


def start_redis(server, durable):
    keep = ["--appendonly", "yes", "--appendfsync", "always"] if durable else []
    server.spawn(
        program("redis-server"), "--bind", "127.0.0.1", "--port", server.port,
        "--dir", server.folder, "--save", "", "--daemonize", "no", *keep,
    )
    server.await_answer(b"PING\r\n", b"+PONG")


def start_rabbitmq(server, _durable):
    """Its port mapper, too, is one of our own."""
    mapper, distribution = free_port(), free_port()
    address = {"ERL_EPMD_PORT": str(mapper), "ERL_EPMD_ADDRESS": "127.0.0.1"}
    server.spawn(program("epmd"), "-port", mapper, "-address", "127.0.0.1")
    (server.folder / "conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{server.port}\nlog.file.level = error\n"
    )
    (server.folder / "plugins").write_text("[].\n")
    if not os.access(RABBITMQ, os.X_OK):
        raise Failed("rabbitmq-server is not installed")
    server.spawn(
        RABBITMQ,
        environment={
            **address,
            "HOME": str(server.folder),
            "RABBITMQ_NODENAME": f"peers{server.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(server.folder / "conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(server.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(server.folder / "data"),
            "RABBITMQ_LOG_BASE": str(server.folder / "logs"),
            "RABBITMQ_PID_FILE": str(server.folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "-kernel inet_dist_use_interface {127,0,0,1}",
        },
    )
    server.await_answer(b"AMQP\x00\x00\x09\x01", b"\x01")


def start_beanstalkd(server, durable):
    keep = ["-b", server.folder, "-f0"] if durable else []
    server.spawn(program("beanstalkd"), "-l", "127.0.0.1", "-p", server.port, *keep)
    server.await_answer(b"list-tube-used\r\n", b"USING")


def start_gearman(server, durable):
    keep = ["-q", "libsqlite3", f"--libsqlite3-db={server.folder}/jobs"] if durable else []
    server.spawn(
        program("gearmand"), "--listen=127.0.0.1", "-p", server.port, "-t", "2",
        "--log-file=stderr", *keep,
    )
    server.await_answer(b"version\n", b"OK")


def start_nats(server, _durable):
    server.spawn(
        program("nats-server"), "-a", "127.0.0.1", "-p", server.port, "-js",
        "-sd", server.folder,
    )
    server.await_answer(b"", b"INFO")


STARTS = {
    "redis": start_redis,
    "rabbitmq": start_rabbitmq,
    "beanstalkd": start_beanstalkd,
    "gearman": start_gearman,
    "nats": start_nats,
}


KEPT = ("rabbitmq",)  # what runs before left there is removed by the runs themselves


class Servers:
    """All of them, for the length of a `with`."""

    def __init__(self, data):
        self.data = data
        self.kept = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.kept.values():
            server.signal(signal.SIGCONT)
            server.stop()

    @contextlib.contextmanager
    def running(self, kind, durable, pinned):
        """A server of this kind, for the length of a `with`; None for no server.  One
        that was started for a single processor is not used for runs that are free."""
        if kind is None:
            yield None
        elif kind in KEPT:
            server = self.kept.get((kind, pinned))
            if server is None:
                server = self.kept[kind, pinned] = started(kind, durable, self.data)
            server.signal(signal.SIGCONT)
            try:
                yield server
            finally:
                server.signal(signal.SIGSTOP)
        else:
            server = started(kind, durable, self.data)
            try:
                yield server
            finally:
                server.stop()

    def kept_seconds(self):
        """The processor time of those that are kept."""
        return sum(server.seconds() for server in self.kept.values())


def started(kind, durable, data):
    server = Server(data)
    try:
        STARTS[kind](server, durable)
    except BaseException:
        server.stop()
        raise
    return server
