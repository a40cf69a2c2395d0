"""Behind Debian's HAProxy clients keep their addresses; nobody else can claim one, and a listener may be for one network alone."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import case
import congthu
import wire

CLIENT, STRANGER, BALANCER = "127.0.0.7", "127.0.0.8", "127.0.0.9"
READY_TIMEOUT = 20.0
PATIENCE = 10.0

CONFIG = """
[[listener]]
protocol = "smtp"
bind = "127.0.0.1:{smtp}"
proxies = ["{balancer}/32"]
[[listener]]
protocol = "imap"
bind = "127.0.0.1:{imap}"
tls = "implicit"
proxies = ["{balancer}/32"]
networks = ["{client}/32"]
[[listener]]
protocol = "http"
bind = "127.0.0.1:{http}"
tls = "implicit"
proxies = ["{balancer}/32"]
networks = ["{client}/32"]
"""

HAPROXY = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    default-server check check-send-proxy send-proxy-v2 inter 500 source {balancer}
"""
PROXY = """
frontend {name}
    bind 127.0.0.1:{front}
    default_backend {name}
backend {name}
    server one 127.0.0.1:{back}
"""


class Haproxy:
    """One HAProxy process that passes each port of `doors` on to its other."""

    def __init__(self, doors):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="congthu-haproxy-"))
        text = HAPROXY.format(balancer=BALANCER)
        text += "".join(PROXY.format(name=name, front=front, back=back) for name, (front, back) in doors.items())
        config = self.directory / "haproxy.cfg"
        config.write_text(text)
        program = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
        if program is None:
            raise congthu.Failed("haproxy is not installed; tests/run installs it")
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen([program, "-db", "-f", str(config)], stdout=self.log, stderr=self.log)

    def said(self):
        return (self.directory / "log").read_text()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory)


def connect(port, source):
    return socket.create_connection(("127.0.0.1", port), PATIENCE, source_address=(source, 0))


def first_octets(port, source, says=b""):
    """What the server says to this; empty when it closes, or nobody listens."""
    try:
        with connect(port, source) as connection:
            connection.sendall(says)
            return connection.recv(100)
    except ConnectionError:
        return b""


class Balancer(case.Case):
    @classmethod
    def setUpClass(cls):
        names = ("smtp", "imap", "http")
        ports = congthu.free_ports(6)
        cls.backs, cls.fronts = dict(zip(names, ports)), dict(zip(names, ports[3:]))
        cls.server = congthu.Congthu(CONFIG.format(balancer=BALANCER, client=CLIENT, **cls.backs), exempt=())
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.server.add_domain(case.DOMAIN)
        cls.an = f"an@{case.DOMAIN}"
        cls.server.add_mailbox(cls.an)
        cls.haproxy = Haproxy({name: (cls.fronts[name], cls.backs[name]) for name in names})
        cls.addClassCleanup(cls.haproxy.close)
        deadline = time.monotonic() + READY_TIMEOUT
        while not first_octets(cls.fronts["smtp"], CLIENT):
            if time.monotonic() > deadline:
                raise congthu.Failed(f"HAProxy passes nothing on: {cls.haproxy.said()}\n{cls.server.log_tail()}")
            time.sleep(0.1)

    def handshake(self, port, source):
        wire.Stream("127.0.0.1", port, tls=True, source=source).close()

    def test_mail_that_comes_through_it_shows_its_client(self):
        smtp = wire.Smtp("127.0.0.1", self.fronts["smtp"], source=CLIENT)
        smtp.hello()
        accepted, _ = smtp.envelope("van-thu@other.test", [self.an])
        self.assertTrue(all(reply.ok for reply in smtp.data(self.message(to=self.an), accepted)))
        smtp.quit()
        imap = wire.Imap("127.0.0.1", self.fronts["imap"], source=CLIENT)
        imap.login(self.an, congthu.PASSWORD)
        imap.select("INBOX")
        [(_, items)] = imap.must("FETCH 1 BODY.PEEK[HEADER]").fetched()
        header = items["BODY[HEADER]"]
        self.assertIn(f"[{CLIENT}]".encode(), header)
        self.assertNotIn(BALANCER.encode(), header)
        imap.close()

    def test_each_door_asks_for_the_clients_network(self):
        for door in ("imap", "http"):
            with self.subTest(door=door):
                self.handshake(self.fronts[door], CLIENT)
                with self.assertRaises(wire.Lost):
                    self.handshake(self.fronts[door], STRANGER)

    def test_the_balancer_must_say_and_nobody_else_is_believed(self):
        self.assertEqual(first_octets(self.backs["smtp"], BALANCER, b"EHLO no-header.example\r\n"), b"")
        header = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton(CLIENT) + socket.inet_aton("127.0.0.1") + b"\xc0\x01\x00\x19"
        # From elsewhere the header is a client's that talks before the greeting, and the lie opens no door.
        self.assertRegex(first_octets(self.backs["smtp"], STRANGER, header), b"^5")
        self.assertTrue(first_octets(self.backs["smtp"], BALANCER, header).startswith(b"220 "))
        self.handshake(self.backs["imap"], CLIENT)
        self.assertEqual(first_octets(self.backs["imap"], STRANGER, header), b"")


if __name__ == "__main__":
    unittest.main()
