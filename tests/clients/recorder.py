"""Stands between a client and the server on loopback and writes down what both say, as a transcript.

The server never logs content, so what a client says can only be seen on its way. TLS ends here on both sides; bytes are
passed on unchanged. After COMPRESS=DEFLATE (RFC 4978) a copy is inflated for the record. Lines stand in the record in the
order they came, one letter per connection, in the form of docs/how-to/write-a-transcript.md; where a connection's bytes
changed, `@A starttls` or `@A deflate` says so.
"""

import contextlib
import re
import select
import socket
import ssl
import threading
import zlib

PIECE = 1 << 16  # bytes read at once
WAITING_MAX = 1 << 20  # bytes for an end that does not read; until it does no more are taken from the other
CONNECTIONS_MAX = 200  # of one recorder; a client that wants more is at fault


class Recorder:
    """Listens on `port` of loopback and forwards to `upstream`, a port of loopback. TLS is there from the start, or, if
    `opened`, once the client has asked for it with STARTTLS (RFC 3501 6.2.1, RFC 3207)."""

    def __init__(self, upstream, certificate, key, opened=False):
        self.upstream = upstream
        self.opened = opened
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.outward = ssl.create_default_context()
        self.outward.check_hostname = False
        self.outward.verify_mode = ssl.CERT_NONE
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lines = []  # (connection, "C" or "S", bytes)
        self.lock = threading.Lock()
        self.count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while self.count < CONNECTIONS_MAX:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            # A transcript knows by the P that the connection is plain at first.
            name = ("P" if self.opened else "") + letter(self.count)
            threading.Thread(target=self._serve, args=(name, client), daemon=True).start()

    def _serve(self, name, client):
        said = Said(self, name)
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream))
            if self.opened:
                self._before_tls(client, server, said)
            client = self.context.wrap_socket(client, server_side=True)
            server = self.outward.wrap_socket(server)
        except OSError as error:
            with self.lock:
                self.lines.append((name, "S", f"(no TLS: {error})".encode()))
            client.close()
            return
        with client, server, contextlib.suppress(OSError):
            self._relay(client, server, said)

    def _before_tls(self, client, server, said):
        """Passes on what is said in the clear, until the server has agreed to STARTTLS."""
        while not said.agreed:
            for source in select.select([client, server], [], [])[0]:
                who, sink = ("C", server) if source is client else ("S", client)
                if not (data := source.recv(PIECE)):
                    sink.close()
                    raise ConnectionError("the end came first")
                with self.lock:
                    said.heard(who, data)
                sink.sendall(data)

    def _relay(self, client, server, said):
        """Passes on until one end closes. One thread does both directions: no TLS connection may be read and written at once."""
        waiting = {client: b"", server: b""}  # for each, what it has not taken yet
        other = {client: server, server: client}
        for end in waiting:
            end.setblocking(False)
        while True:
            readers = [end for end in waiting if len(waiting[other[end]]) < WAITING_MAX]
            writers = [end for end in waiting if waiting[end]]
            unread = any(end.pending() for end in readers)
            select.select(readers, writers, [], 0 if unread else None)
            for end in writers:
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    waiting[end] = waiting[end][end.send(waiting[end]) :]
            for end in readers:
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    data = end.recv(PIECE)
                    with self.lock:
                        said.heard("C" if end is client else "S", data)
                    waiting[other[end]] += data
                    if not data:
                        other[end].setblocking(True)
                        other[end].sendall(waiting[other[end]])
                        return

    def text(self, replacements=()):
        """The record so far; `replacements` are (pattern, replacement) on every line."""
        with self.lock:
            lines = list(self.lines)
        out = []
        for name, who, line in lines:
            if who == "@":
                out.append(f"@{name} {line.decode()}")
                continue
            text = readable(line)
            for pattern, replacement in replacements:
                text = re.sub(pattern, replacement, text)
            out.append(f"{name}{'>' if who == 'C' else '<'} {text}".rstrip(" ") if text else f"{name}{'>' if who == 'C' else '<'}")
        return "\n".join(out) + "\n"


class Said:
    """One connection's two directions, taken apart into lines."""

    def __init__(self, recorder, name):
        self.recorder = recorder
        self.name = name
        self.rest = {"C": b"", "S": b""}
        self.inflate = {"C": None, "S": None}
        self.asked = None  # STARTTLS or COMPRESS DEFLATE that is not answered yet: what, and how an answer begins and agrees
        self.agreed = False  # to STARTTLS

    def heard(self, who, data):
        if self.inflate[who]:
            data = self.inflate[who].decompress(data)
        self.rest[who] += data
        while b"\r\n" in self.rest[who]:
            line, _, self.rest[who] = self.rest[who].partition(b"\r\n")
            self.recorder.lines.append((self.name, who, line))
            if who == "C" and (found := re.fullmatch(rb"(?:(\S+) )?(STARTTLS|COMPRESS DEFLATE)", line, re.I)):
                tag = found.group(1)
                self.asked = found.group(2).upper(), tag + b" " if tag else b"", tag + b" OK" if tag else b"220 "
            if who == "S" and self.asked and line.startswith(self.asked[1]):
                what, _, good = self.asked
                self.asked = None
                if line.startswith(good):
                    self._change(what)

    def _change(self, what):
        """What follows the line just heard is something else."""
        if what == b"STARTTLS":
            self.agreed = True
            self.recorder.lines.append((self.name, "@", b"starttls"))
            return
        self.recorder.lines.append((self.name, "@", b"deflate"))
        self.inflate = {side: zlib.decompressobj(-15) for side in "CS"}
        self.rest["S"] = self.inflate["S"].decompress(self.rest["S"])


def letter(number):
    """A, B, … Z, AA, AB, …"""
    out = ""
    while number:
        number, digit = divmod(number - 1, 26)
        out = chr(ord("A") + digit) + out
    return out


def readable(line):
    """Escaped as a transcript wants it: UTF-8 as it is, other bytes and what has a meaning there with a backslash."""
    text = line.decode("utf-8", "surrogateescape").replace("\\", "\\\\")
    text = re.sub(r"<(?=[a-z0-9_]+>|\*>)", r"\\<", text)
    text = text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t").replace("\0", "\\0")
    return re.sub(r"[\udc80-\udcff]", lambda c: f"\\x{ord(c.group()) - 0xdc00:02x}", text)
