"""Servers of others that do as a test says: one that takes mail, with TLS or without, one that answers over HTTPS, and somebody on the
way to the first, who takes the offer of TLS away.

Their threads are in the network of the thread that made them.
"""

import contextlib
import http.server
import socket
import socketserver
import ssl
import threading

POLL = 0.05  # seconds in which a server ends that is to


def server_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class Sink(socketserver.ThreadingTCPServer):
    """Takes every message and keeps it; offers STARTTLS where it has a certificate."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host, certified=None):
        self.context = server_context(*certified) if certified else None
        self.messages = []  # (whether over TLS, recipient, octets)
        self.paths = []  # the reverse path of each
        self.asked = 0  # connections
        super().__init__((host, 25), Dialogue)
        threading.Thread(target=self.serve_forever, args=(POLL,), daemon=True).start()

    def handle_error(self, request, client_address):
        """A handshake that the other side ends is what some tests are about."""

    def close(self):
        self.shutdown()
        self.server_close()


class Dialogue(socketserver.BaseRequestHandler):
    def handle(self):
        self.link, self.is_tls, path, recipient = self.request, False, None, None
        self.server.asked += 1
        self.lines = self.link.makefile("rb")
        self.say("220 sink ready")
        while line := self.lines.readline():
            verb = line.split(None, 1)[0].upper() if line.strip() else b""
            if verb == b"EHLO":
                offers = self.server.context and not self.is_tls
                self.say("250-sink\r\n250 STARTTLS" if offers else "250 sink")
            elif verb == b"STARTTLS" and self.server.context and not self.is_tls:
                self.say("220 go ahead")
                self.link, self.is_tls = self.server.context.wrap_socket(self.link, server_side=True), True
                self.lines = self.link.makefile("rb")
            elif verb == b"MAIL":
                path = line.partition(b"<")[2].partition(b">")[0].decode()
                self.say("250 2.1.0 ok")
            elif verb == b"RCPT":
                recipient = line.partition(b"<")[2].partition(b">")[0].decode()
                self.say("250 2.1.5 ok")
            elif verb == b"DATA":
                self.say("354 go ahead")
                self.server.messages.append((self.is_tls, recipient, self.content()))
                self.server.paths.append(path)
                self.say("250 2.0.0 mine")
            elif verb == b"QUIT":
                return self.say("221 2.0.0 bye")
            else:
                self.say("250 2.0.0 ok")

    def say(self, text):
        self.link.sendall(text.encode() + b"\r\n")

    def content(self):
        lines = []
        while (line := self.lines.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)


class Stripper(socketserver.ThreadingTCPServer):
    """On the way to a server: hands on what is said, but that in its replies nothing of STARTTLS stands."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host, behind):
        self.behind, self.stripped = behind, 0
        super().__init__((host, 25), Stripping)
        threading.Thread(target=self.serve_forever, args=(POLL,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Stripping(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.closing(socket.create_connection((self.server.behind, 25))) as there:
            back = threading.Thread(target=self.hand_back, args=(there,), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while octets := self.request.recv(65536):
                    there.sendall(octets)
                there.shutdown(socket.SHUT_WR)
            back.join()

    def hand_back(self, there):
        with contextlib.suppress(OSError):
            for line in there.makefile("rb"):
                if b"STARTTLS" in line:
                    self.server.stripped += 1
                    line = line.replace(b"STARTTLS", b"XXXXXXXX")
                self.request.sendall(line)
            self.request.shutdown(socket.SHUT_WR)


class Web(http.server.ThreadingHTTPServer):
    """Gives the documents that it has by host and path, and keeps what is posted to it."""

    def __init__(self, host, certified, documents):
        self.documents, self.posted = documents, []  # (host, path, media type, octets)
        super().__init__((host, 443), Pages)
        self.socket = server_context(*certified).wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(POLL,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = self.server.documents.get((self.headers["Host"], self.path))
        self.answer(404 if text is None else 200, (text or "").encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.headers["Host"], self.path, self.headers["Content-Type"], body))
        self.answer(201, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nobody reads it."""
