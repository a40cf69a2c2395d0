"""The real clamd and rspamd of Debian, on loopback ports of their own, as children that are ended by their pid.

clamd knows one signature, EICAR's, so no database is fetched; rspamd asks nobody and knows GTUBE by itself; what
it is taught it keeps in a file, and its controller takes it with a password alone.
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import congthu

START_TIMEOUT = 180.0  # seconds; rspamd compiles its lists first, slowly on a busy machine
EICAR_MD5 = "44d88612fea8a8f36de82e1278abb02f:68:Congthu.Eicar-Test"
# In halves, so that no scanner takes this file for what it speaks of.
EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

CLAMD = """Foreground yes
DatabaseDirectory {directory}/db
TemporaryDirectory {directory}
TCPAddr 127.0.0.1
TCPSocket {port}
StreamMaxLength 100M
"""

RSPAMD = """options {{
  filters = "";
  pidfile = "{directory}/rspamd.pid";
  tempdir = "{directory}";
  hs_cache_dir = "{directory}";
  dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }}
  local_addrs = [];
}}
logging {{ type = "file"; filename = "{directory}/rspamd.log"; }}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
worker "controller" {{ bind_socket = "127.0.0.1:{controller}"; count = 1; password = "{password}-xem"; enable_password = "{password}"; }}
classifier "bayes" {{
  tokenizer {{ name = "osb"; }}
  cache {{ type = "sqlite3"; path = "{directory}/learned.sqlite"; }}
  backend = "sqlite3";
  min_tokens = 1;
  statfile {{ symbol = "BAYES_HAM"; path = "{directory}/ham.sqlite"; spam = false; }}
  statfile {{ symbol = "BAYES_SPAM"; path = "{directory}/spam.sqlite"; spam = true; }}
}}
"""
PASSWORD = "mat-khau-cua-rspamd"


def program(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")


class Scanner:
    """One service in a directory of its own."""

    def __init__(self, name):
        self.name = name
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"congthu-{name}-"))
        self.port, self.controller_port = congthu.free_ports(2)
        self.process = None
        config = self.directory / f"{name}.conf"
        template = {"clamd": CLAMD, "rspamd": RSPAMD}[name]
        config.write_text(template.format(
            directory=self.directory, port=self.port, controller=self.controller_port, password=PASSWORD))
        (self.directory / "db").mkdir()
        (self.directory / "db" / "test.hdb").write_text(EICAR_MD5 + "\n")
        if name == "clamd":
            self.command = [program("clamd"), "-c", str(config)]
        else:
            places = [f"--var={key}={self.directory}" for key in ("DBDIR", "RUNDIR", "LOGDIR")]
            # As root it would want another user; it is a child of a test.
            insecure = ["--insecure"] if os.geteuid() == 0 else []
            self.command = [program("rspamd"), "-f", *insecure, "-c", str(config), *places]

    def allow(self, line):
        """From its next start on: the line of its configuration that begins with the same word."""
        config = self.directory / f"{self.name}.conf"
        word = line.split()[0]
        config.write_text("".join(f"{line}\n" if old.split()[:1] == [word] else old for old in config.read_text().splitlines(True)))

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def controller(self):
        """Of rspamd: where it is taught."""
        return f"127.0.0.1:{self.controller_port}"

    def learned(self):
        """How many messages rspamd has learned, spam and wanted ones."""
        connection = http.client.HTTPConnection(self.controller, timeout=10)
        connection.request("GET", "/stat", headers={"Password": PASSWORD})
        found = {one["symbol"]: one["revision"] for one in json.load(connection.getresponse())["statfiles"]}
        connection.close()
        return found["BAYES_SPAM"], found["BAYES_HAM"]

    def start(self):
        with open(self.directory / "output", "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise congthu.Failed(f"{self.name} did not start:\n{(self.directory / 'output').read_text()[-2000:]}")
            time.sleep(0.1)

    def answers(self):
        question = b"zPING\0" if self.name == "clamd" else b"GET /ping HTTP/1.0\r\n\r\n"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as peer:
            peer.settimeout(5)
            peer.sendall(question)
            return b"pong" in peer.recv(1000).lower()
        return False

    def kill(self):
        """At once, with the workers that it started."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
