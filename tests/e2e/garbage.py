"""garbage.py - throws at a ventilator's two ports what no node would ever say.

Speaks ZMTP 3.0 itself, so that it can be wrong at every level: bytes that are no
ZMTP, handshakes that break off, frames that lie about their length, messages that
are noise, golden ones of PROTOCOL.md cut short or changed, and good ones under
sessions that belong to somebody else.
Usage: garbage.py FRONT INTAKE PROTOCOL.md SECONDS SEED
"""

import random
import re
import socket
import struct
import sys
import time
from collections import Counter, deque

SILENT_MAX = 60  # connections left open without a word
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
HEADER = struct.Struct(">2sBBHHII")
MORE, LONG, COMMAND = 1, 2, 4


def read_goldens(path):
    """{name: bytes} of the golden messages in the document."""
    goldens = {}
    with open(path, encoding="utf-8") as file:
        for name, block in re.findall(r"```golden (\S+)\n(.*?)```", file.read(), re.DOTALL):
            digits = "".join(line.split("#")[0] for line in block.splitlines())
            goldens[name] = bytes.fromhex(digits)
    return goldens


def frame(body, flags=0):
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body


def command(name, body=b""):
    return frame(bytes([len(name)]) + name + body, COMMAND)


def ready(properties):
    body = b""
    for key, value in properties.items():
        body += bytes([len(key)]) + key + struct.pack(">I", len(value)) + value
    return command(b"READY", body)


def addressed(message, session, sequence):
    """The message under another session and number."""
    magic, major, kind, count, reserved, _, _ = HEADER.unpack_from(message)
    return HEADER.pack(magic, major, kind, count, reserved, session, sequence) + message[16:]


def is_order_to_drain(message):
    """Whether the ventilator might take it for DRAIN with itself as target: no garbage,
    and it would do as it is told.  The golden one names a worker that is not there."""
    return message[:4] == b"TM\x01\x18" and b"gpu7" not in message


class Thrower:
    def __init__(self, front, intake, goldens, seed):
        self.ports = [self.port(front), self.port(intake)]
        self.goldens = goldens
        self.random = random.Random(seed)
        self.silent = deque()
        self.sessions = []
        self.thrown = Counter()

    @staticmethod
    def port(endpoint):
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        return host, int(port)

    def noise(self, limit):
        return self.random.randbytes(self.random.randrange(limit))

    def connect(self, port):
        link = socket.create_connection(port, timeout=0.3)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.random.random() < 0.3:  # ends with a reset
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return link

    def leave(self, link):
        """Ends a connection, or forgets it while it is open."""
        if self.random.random() < 0.5:
            link.close()
            return
        self.silent.append(link)
        if len(self.silent) > SILENT_MAX:
            self.silent.popleft().close()

    # --- below the level of messages ---------------------------------------

    def throw_bytes(self, link, _):
        link.sendall(self.noise(4096))

    def throw_nothing(self, link, _):
        link.sendall(GREETING[: self.random.randrange(len(GREETING))])

    def throw_handshake(self, link, _):
        kinds = [
            ready({b"Socket-Type": self.noise(300)}),
            ready({b"Socket-Type": b"DEALER", b"Identity": self.noise(70000)}),
            command(b"READY", b"\x0bSocket-Type\xff\xff\xff\xffDEALER"),
            command(b"ERROR", b"\xff" + self.noise(20)),
            command(self.noise(250), self.noise(250)),
            frame(self.noise(100)),
            bytes([LONG]) + struct.pack(">Q", 1 << self.random.randrange(64)) + self.noise(500),
        ]
        link.sendall(GREETING + self.random.choice(kinds))

    # --- messages ----------------------------------------------------------

    def shake_hands(self, link, port):
        kind = b"DEALER" if port == 0 else b"PUSH"
        properties = {b"Socket-Type": kind}
        if self.random.random() < 0.2:  # a routing id of its own choice
            properties[b"Identity"] = bytes([self.random.randrange(256)]) + self.noise(200)
        link.sendall(GREETING)
        received = 0
        while received < len(GREETING):  # libzmq does not like to be talked to before
            piece = link.recv(len(GREETING) - received)
            if not piece:
                raise ConnectionError("no greeting")
            received += len(piece)
        link.sendall(ready(properties))

    def say_hello(self, link):
        """Opens a session of our own, to learn what the numbers of others are like."""
        name = self.random.choice(["HELLO-producer", "HELLO-worker"])
        link.sendall(frame(self.fresh(self.goldens[name])))
        answer = b""
        while len(answer) < 4096:
            piece = link.recv(4096)
            if not piece:
                break  # we were thrown out
            answer += piece
            at = answer.find(b"TM\x01\x02")
            if at >= 0 and len(answer) >= at + 16:
                session = HEADER.unpack_from(answer, at)[5]
                self.sessions.append(session)
                return session
            if b"TM\x01" in answer:
                break  # it was refused
        return self.stolen()

    def fresh(self, message):
        """With other random bytes where an id is: bin of 16."""
        at = message.find(b"\xc4\x10")
        return message[: at + 2] + self.random.randbytes(16) + message[at + 18 :]

    def changed(self, message):
        octets = bytearray(message)
        for _ in range(self.random.randrange(1, 8)):
            at = self.random.randrange(len(octets))
            octets[at] = self.random.choice([self.random.randrange(256), octets[at] ^ 1, 0xFF, 0])
        return bytes(octets)

    def stolen(self):
        """A session that is likely to be somebody's: near the first that we had, like
        those who were there before us, or near the latest."""
        if not self.sessions:
            return self.random.randrange(1 << 32)
        near = self.random.choice([self.sessions[0], self.sessions[-1]])
        number, slot = divmod(near, 1 << 16)
        number = (number + self.random.randrange(-6, 3)) % (1 << 16)
        return number << 16 | self.random.choice([slot, self.random.randrange(6)])

    def message(self, own):
        golden = self.random.choice(list(self.goldens.values()))
        sequence = self.random.choice([1, 2, 3, self.random.randrange(1 << 32)])
        header = HEADER.pack(b"TM", 1, self.random.randrange(256), self.random.randrange(1 << 16),
                             0, own, sequence)
        choices = [
            lambda: self.noise(2000),
            lambda: golden[: self.random.randrange(len(golden))],
            lambda: self.changed(golden),
            lambda: self.fresh(golden),
            lambda: addressed(self.fresh(golden), own, sequence),
            lambda: addressed(self.changed(golden), own, sequence),
            lambda: addressed(golden, self.stolen(), sequence),
            lambda: header + self.noise(300),
            lambda: header + b"\xdd\xff\xff\xff\xff" * self.random.randrange(1, 50),
            lambda: header + b"\x91" * self.random.randrange(1, 3000),
            lambda: golden + self.noise(20),
        ]
        chosen = self.random.choice(choices)()
        while is_order_to_drain(chosen):
            chosen = self.random.choice(choices)()
        return chosen

    def throw_messages(self, link, port):
        self.shake_hands(link, port)
        own = self.stolen()
        if port == 0 and self.random.random() < 0.5:
            own = self.say_hello(link)
        for _ in range(self.random.randrange(1, 40)):
            batch = b""
            for _ in range(self.random.randrange(1, 40)):
                flags = self.random.choice([0] * 30 + [MORE, COMMAND, 0xF8])
                batch += frame(self.message(own), flags)
                self.thrown["messages"] += 1
            link.sendall(batch)
        if self.random.random() < 0.3:  # and breaks off in the middle of a frame
            link.sendall(bytes([LONG]) + struct.pack(">Q", 1 << self.random.randrange(24)))
            link.sendall(self.noise(5000))

    def throw(self):
        port = self.random.randrange(2)
        kinds = [self.throw_bytes, self.throw_nothing, self.throw_handshake]
        kind = self.random.choice([*kinds, *3 * [self.throw_messages]])
        self.thrown[kind.__name__.removeprefix("throw_") + " connections"] += 1
        link = self.connect(self.ports[port])
        try:
            kind(link, port)
        except (ConnectionError, TimeoutError):
            self.thrown["thrown out"] += 1
        self.leave(link)


def main():
    front, intake, document, seconds, seed = sys.argv[1:]
    thrower = Thrower(front, intake, read_goldens(document), int(seed))
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        thrower.throw()
    print(", ".join(f"{count} {what}" for what, count in sorted(thrower.thrown.items())))


if __name__ == "__main__":
    main()
