"""What takes the mail that the sending figures are about: Debian's smtp-sink, and how to see what it has taken.

Nothing of it is a mail server: it takes and throws away, so that the figures are those of whoever sends.
"""

import base64
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

from harness import congthu

import wire

SINK_BACKLOG = 4096
SINK_CONNECTIONS = 1024  # more than either side opens
SUBMITTERS = 8  # connections that mail is brought over
LISTEN, ESTABLISHED = "0A", "01"


class Sink:
    """One smtp-sink on all addresses of this machine, which says how many messages it has taken."""

    def __init__(self, port):
        program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin") or "smtp-sink"
        self.port = port
        self.process = subprocess.Popen(
            [program, "-4", "-c", "-u", "nobody", "-m", str(SINK_CONNECTIONS), f"0.0.0.0:{port}", str(SINK_BACKLOG)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 10
        while not connections(port, LISTEN):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise congthu.Failed(f"smtp-sink does not start: {self.process.stderr.read().decode()}")
            time.sleep(0.01)
        self.taken, self.most, self.changed = 0, 0, threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _listen(self):
        while octets := os.read(self.process.stdout.fileno(), 65536):
            found = re.findall(rb"mesg=(\d+)\r", octets)
            with self.changed:
                self.taken = max([self.taken, *map(int, found)])
                self.changed.notify_all()

    def _watch(self):
        while self.process.poll() is None:
            self.most = max(self.most, connections(self.port, ESTABLISHED))
            time.sleep(0.05)

    def wait(self, count, seconds):
        """Until it has taken so many."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.taken >= count, seconds):
                raise congthu.Failed(f"{self.taken} of {count} were taken within {seconds} s")

    def close(self):
        self.process.kill()
        self.process.wait()


def connections(port, state):
    """Sockets of this machine with that port at their own end."""
    wanted = f":{port:04X}"
    count = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        count += fields[1].endswith(wanted) and fields[3] == state
    return count


def message(octets, number, author="bench-0@bench.test"):
    """A message of about so many octets."""
    line = "Ủy ban nhân dân tỉnh yêu cầu các sở, ban, ngành báo cáo trước ngày 30. "
    head = (f"From: <{author}>\r\nTo: <ai@sink.test>\r\nSubject: so {number}\r\nMessage-ID: <{number}@bench.test>\r\n"
            "Date: Mon, 02 Jun 2025 08:00:00 +0700\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n").encode()
    row = f"{number} {line}\r\n".encode()
    return head + row * max(1, (octets - len(head)) // len(row))


def submit(connect, recipients, octets, options=""):
    """Brings a message for each of these over some connections; seconds it took. `connect` makes one that may send."""
    began = time.monotonic()

    def bring(part):
        smtp = connect()
        for number, recipient in part:
            accepted, replies = smtp.envelope("bench-0@bench.test", [recipient], options)
            if not accepted:
                raise congthu.Failed(f"{recipient}: {replies[0]}")
            (final,) = smtp.data(message(octets, number), 1)
            if final.code != 250:
                raise congthu.Failed(f"{recipient}: {final}")
        smtp.quit()

    numbered = list(enumerate(recipients))
    workers = min(SUBMITTERS, len(numbered))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(bring, [numbered[at::workers] for at in range(workers)]))
    return time.monotonic() - began


def user_of(server, user):
    """Makes connections to our submission port, logged in."""
    secret = base64.b64encode(f"\0{user}\0{congthu.PASSWORD}".encode()).decode()

    def connect():
        smtp = server.smtp("submission")
        smtp.hello()
        smtp.start_tls()
        smtp.hello()
        smtp.expect(f"AUTH PLAIN {secret}", 235)
        return smtp

    return connect


def stranger_of(port):
    """Makes connections to a server that lets this machine send."""
    def connect():
        smtp = wire.Smtp("127.0.0.1", port)
        smtp.hello()
        return smtp

    return connect


@contextlib.contextmanager
def deaf(host):
    """An address that takes no connection and refuses none: nobody accepts, and the backlog is full. Its port."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind((host, 0))
        listener.listen(0)
        for _ in range(4):
            knock = sockets.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
