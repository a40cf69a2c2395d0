"""Stands between a client and the server on loopback and writes down what both say, as a transcript.

The server never logs content, so what a client says can only be seen on its way. TLS ends here on both sides; bytes are
passed on unchanged. After COMPRESS=DEFLATE (RFC 4978) a copy is inflated for the record. Lines stand in the record in the
order they came, one letter per connection, in the form of docs/how-to/write-a-transcript.md.
"""

import re
import socket
import ssl
import threading
import zlib

PIECE = 1 << 16  # bytes read at once
CONNECTIONS_MAX = 200  # of one recorder; a client that wants more is at fault


class Recorder:
    """Listens with TLS on `port` of loopback, forwards to `upstream` (a port of loopback, TLS from the start)."""

    def __init__(self, upstream, certificate, key):
        self.upstream = upstream
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
            name = letter(self.count)
            threading.Thread(target=self._serve, args=(name, client), daemon=True).start()

    def _serve(self, name, client):
        try:
            client = self.context.wrap_socket(client, server_side=True)
            server = self.outward.wrap_socket(socket.create_connection(("127.0.0.1", self.upstream)))
        except OSError as error:
            with self.lock:
                self.lines.append((name, "S", f"(no TLS: {error})".encode()))
            client.close()
            return
        said = Said(self, name)
        threading.Thread(target=self._pump, args=(server, client, said, "S"), daemon=True).start()
        self._pump(client, server, said, "C")

    def _pump(self, source, sink, said, who):
        try:
            while data := source.recv(PIECE):
                with self.lock:
                    said.heard(who, data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def text(self, replacements=()):
        """The record so far; `replacements` are (pattern, replacement) on every line."""
        with self.lock:
            lines = list(self.lines)
        out = []
        for name, who, line in lines:
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
        self.tag = None  # of a COMPRESS that is not answered yet

    def heard(self, who, data):
        if self.inflate[who]:
            data = self.inflate[who].decompress(data)
        self.rest[who] += data
        while b"\r\n" in self.rest[who]:
            line, _, self.rest[who] = self.rest[who].partition(b"\r\n")
            self.recorder.lines.append((self.name, who, line))
            if who == "C" and (found := re.fullmatch(rb"(\S+) COMPRESS DEFLATE", line, re.I)):
                self.tag = found.group(1)
            if who == "S" and self.tag and line.startswith(self.tag + b" "):
                if line.startswith(self.tag + b" OK"):
                    self.inflate = {side: zlib.decompressobj(-15) for side in "CS"}
                    self.rest[who] = self.inflate[who].decompress(self.rest[who])
                self.tag = None


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
