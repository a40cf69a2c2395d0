"""A program on a terminal of its own, driven by what it shows."""

import os
import pty
import re
import select
import signal
import struct
import termios
import time
from fcntl import ioctl

ESCAPES = re.compile(rb"\x1b(\[[0-9;?]*[A-Za-z]|\([A-Z0-9]|[=>78])")


class Terminal:
    def __init__(self, command, environment, timeout=30.0):
        self.timeout = timeout
        self.shown = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {"TERM": "xterm", **environment})
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))

    def expect(self, pattern):
        """Waits until the terminal has shown this since the last match."""
        found = self.shows(pattern, self.timeout)
        if not found:
            raise AssertionError(f"the terminal did not show {pattern!r}: {self.shown[-1500:].decode(errors='replace')}")
        return found

    def shows(self, pattern, seconds):
        """The match, or None when it has not come in so long."""
        deadline = time.monotonic() + seconds
        while True:
            text = ESCAPES.sub(b"", self.shown)
            found = re.search(pattern.encode(), text)
            if found:
                self.shown = text[found.end() :]
                return found
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                return None

    def _read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        try:
            data = os.read(self.fd, 1 << 16) if ready else b""
        except OSError:
            data = b""
        self.shown += data
        return bool(data)

    def send(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """The exit code once it ends by itself."""
        deadline = time.monotonic() + self.timeout
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = None
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                raise AssertionError(f"did not end: {self.shown[-500:]!r}")
            self._read(0.05)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
