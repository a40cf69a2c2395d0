"""Runs the real `congthu` with a configuration of its own, on loopback ports of its own.

Everything lives in one temporary directory that the service user can reach; nothing outside it is touched.
Started as root, `congthu` re-executes itself as its service user in the same process, so the pid that was
started is the pid that serves. Only that pid, and Postgres programs under this directory, are ever signalled.
"""

import contextlib
import csv
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import wire

REPO = pathlib.Path(__file__).resolve().parents[2]
READY_TIMEOUT = 120.0  # seconds; the first start makes a database cluster
STOP_TIMEOUT = 60.0  # seconds; the drain of a graceful stop
PASSWORD = "Khoai-Tay-Xanh-2741"  # of every mailbox the tests make
PROFILE = "an-giang"

# name: (protocol, tls); more by `Congthu(listeners=…)`
LISTENERS = {
    "smtp": ("smtp", "starttls"),
    "submission": ("submission", "starttls"),
    "submissions": ("submission", "implicit"),
    "lmtp": ("lmtp", "none"),
    "imap": ("imap", "starttls"),
    "imaps": ("imap", "implicit"),
    "sieve": ("sieve", "starttls"),
    "http": ("http", "none"),
    "https": ("http", "implicit"),
}


class Failed(Exception):
    """The server or its command line did not do what was asked."""


def binary():
    """`CONGTHU_BIN`, else the newer of the release and the debug build."""
    named = os.environ.get("CONGTHU_BIN")
    if named:
        return pathlib.Path(named).resolve()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))
    built = [path for profile in ("release", "debug") if (path := target / profile / "congthu").is_file()]
    if built:
        return max(built, key=lambda path: path.stat().st_mtime)
    raise Failed(f"no congthu under {target}: run `cargo build --release` or set CONGTHU_BIN")


# Of two servers of one run none takes what the other is about to listen on.
HANDED_OUT = set()


def free_ports(count):
    """Ports nobody listens on, below the range that outgoing connections take theirs from, so that a
    restarted server finds its own still free; each is handed out once."""
    ports = []
    while len(ports) < count:
        port = random.randrange(12000, 32000)
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in HANDED_OUT:
            HANDED_OUT.add(port)
            ports.append(port)
    return ports


def make_certificate(directory, name="127.0.0.1", stem="tls"):
    """A self-signed certificate for localhost; (certificate, key) paths."""
    certificate, key = directory / f"{stem}.crt", directory / f"{stem}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:mail.demo.test",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True)
    certificate.chmod(0o644)
    key.chmod(0o644)  # the service user reads it; it guards nothing
    return certificate, key


class Congthu:
    """One installation: its directory, its configuration, and its process when it runs."""

    keeps_bare = True  # APPEND keeps bare CR and LF

    def __init__(self, extra="", listeners=None, own_certificate=True, directory=None, hostname="mail.demo.test",
                 exempt=("127.0.0.0/8",), checked=False):
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="congthu-e2e-"))
        self.directory.chmod(0o755)
        self.listeners = dict(LISTENERS if listeners is None else listeners)
        self.ports = dict(zip(self.listeners, free_ports(len(self.listeners))))
        self.host = "127.0.0.1"
        self.data_dir = self.directory / "data"
        self.log_path = self.directory / "congthu.log"
        self.config = self.directory / "congthu.toml"
        self.certificate = self.key = None
        if own_certificate:
            self.certificate, self.key = make_certificate(self.directory)
        self.extra = extra
        self.hostname = hostname
        self.exempt = list(exempt)
        self.checked = checked  # whose mail it is that comes, which takes name servers
        self.process = None
        self.starts = 0
        self.write_config()

    # ------------------------------------------------------------ configuration

    def write_config(self):
        lines = [f'hostname = "{self.hostname}"', f'data_dir = "{self.data_dir}"']
        if self.certificate:
            lines += ["[tls]", f'certificate = "{self.certificate}"', f'key = "{self.key}"']
        lines += ["[limits]", f"exempt_networks = {json.dumps(self.exempt)}"]
        if not self.checked:
            lines += ["[authentication]", "check = false"]
        for name, (protocol, tls) in self.listeners.items():
            lines += ["[[listener]]", f'protocol = "{protocol}"', f'bind = "{self.host}:{self.ports[name]}"', f'tls = "{tls}"']
        self.config.write_text("\n".join(lines) + "\n" + self.extra)
        self.config.chmod(0o644)

    # ------------------------------------------------------------ process

    def spawn(self):
        """Starts `congthu serve` and waits for nothing."""
        self.starts += 1
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(binary()), "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.directory)
        return self.process

    def start(self, timeout=READY_TIMEOUT):
        """Starts and waits until it serves; seconds it took."""
        began = time.monotonic()
        self.spawn()
        self.wait_ready(timeout)
        return time.monotonic() - began

    def wait_ready(self, timeout=READY_TIMEOUT):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise Failed(f"congthu ended with {self.process.returncode}:\n{self.log_tail()}")
            if self.is_ready():
                return
            time.sleep(0.05)
        raise Failed(f"congthu was not ready within {timeout} s:\n{self.log_tail()}")

    def is_ready(self):
        if "http" in self.ports:
            return self.health() == 200
        return self.greets()

    def health(self):
        """The status of /healthz, or None when nobody answers."""
        connection = http.client.HTTPConnection(self.host, self.ports["http"], timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def greets(self):
        try:
            smtp = wire.Smtp(self.host, self.ports["smtp"], timeout=5)
        except wire.Lost:
            return False
        ready = smtp.greeting.code == 220
        smtp.close()
        return ready

    def running(self):
        return self.process is not None and self.process.poll() is None

    def terminate(self):
        """SIGTERM without waiting."""
        os.kill(self.process.pid, signal.SIGTERM)

    def stop(self, timeout=STOP_TIMEOUT):
        """Graceful stop; the exit code."""
        if not self.running():
            return self.process.returncode if self.process else None
        self.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"congthu did not stop within {timeout} s of SIGTERM:\n{self.log_tail()}") from None

    def kill(self):
        """kill -9, and the process is gone when this returns."""
        if self.running():
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def reload(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def close(self):
        """Ends everything of this installation and removes it (kept when CONGTHU_KEEP is set)."""
        self.kill()
        self._end_postgres()
        if not os.environ.get("CONGTHU_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def _end_postgres(self):
        deadline = time.monotonic() + 20
        while self.postgres_pids() and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in self.postgres_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # ------------------------------------------------------------ looking from outside

    def log_tail(self, lines=40):
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def postmaster_pid_file(self):
        """Where Postgres keeps its pid, or None before there is a cluster."""
        found = sorted(self.data_dir.glob("**/postmaster.pid"))
        return found[0] if found else None

    def postmaster_pid(self):
        """The pid of a live postmaster under data_dir, or None."""
        path = self.postmaster_pid_file()
        try:
            pid = int(path.read_text().split()[0]) if path else None
        except (OSError, ValueError, IndexError):
            return None
        return pid if pid in self.postgres_pids() else None

    def postgres_pids(self):
        """Every live Postgres process that belongs to this directory (postmasters and their children)."""
        root = str(self.directory.resolve())
        pids = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if entry.joinpath("comm").read_text().strip() not in ("postgres", "postmaster"):
                    continue
                if os.readlink(entry / "cwd").removesuffix(" (deleted)").startswith(root):
                    state = entry.joinpath("stat").read_text().rpartition(")")[2].split()[0]
                    if state != "Z":
                        pids.append(int(entry.name))
            except OSError:
                continue
        return pids

    def postmasters(self):
        """Live Postgres processes here whose parent is not one of them."""
        pids = set(self.postgres_pids())
        return [pid for pid in pids if parent(pid) not in pids]

    def rss_kb(self, field="VmRSS"):
        """Resident memory of the serving process, in KB (`VmHWM`: its highest)."""
        return process_kb(self.process.pid, field)

    def disk_kb(self):
        """What data_dir takes on disk, in KB."""
        out = subprocess.run(["du", "-sk", str(self.data_dir)], capture_output=True, text=True)
        return int(out.stdout.split()[0])

    def sql(self, statement):
        """What the embedded Postgres answers its superuser, a row a line, fields parted by `|`."""
        pid_file = self.postmaster_pid_file()
        owner = pid_file.stat()
        sockets = pid_file.read_text().splitlines()[4]
        done = subprocess.run(
            ["psql", "-XAtqv", "ON_ERROR_STOP=1", "-h", sockets, "-U", "postgres", "-d", "congthu", "-c", statement],
            capture_output=True, text=True, cwd="/", user=owner.st_uid, group=owner.st_gid)
        if done.returncode != 0:
            raise Failed(f"{statement}: {done.stderr.strip()}")
        return done.stdout.strip()

    # ------------------------------------------------------------ command line

    def run(self, *arguments, stdin=None, timeout=300):
        """`congthu …` with this configuration; the CompletedProcess with text output."""
        return subprocess.run(
            [str(binary()), "--config", str(self.config), *arguments],
            input=stdin, capture_output=True, text=True, timeout=timeout, cwd=self.directory)

    def must(self, *arguments, stdin=None):
        done = self.run(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise Failed(f"congthu {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def add_domain(self, domain, profile=PROFILE):
        self.must("domain", "add", domain, "--profile", profile)

    def add_mailbox(self, address, password=PASSWORD, name=None, quota=None, kind="person"):
        arguments = ["mailbox", "add", address, "--name", name or "Người Thử", "--class", kind,
                     "--password-stdin", "--no-password-change", "--json"]
        if quota:
            arguments += ["--quota", quota]
        return json.loads(self.must(*arguments, stdin=password + "\n"))["address"]

    def add_mailboxes(self, addresses, password=PASSWORD):
        """Many at once by `mailbox add-many`; no name has a number that the password has, which is refused."""
        path = self.directory / "many.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["address", "name", "class", "password"])
            rows.writerows([a, f"Người Thử {i:05}", "person", password] for i, a in enumerate(addresses))
        path.chmod(0o644)
        return self.must("mailbox", "add-many", str(path), "--no-password-change")

    # ------------------------------------------------------------ clients

    def smtp(self, name="smtp", **options):
        protocol, tls = self.listeners[name]
        return wire.Smtp(self.host, self.ports[name], tls=tls == "implicit", lmtp=protocol == "lmtp", **options)

    def imap(self, user, password=PASSWORD, name="imaps", **options):
        client = wire.Imap(self.host, self.ports[name], tls=self.listeners[name][1], **options)
        client.login(user, password)
        return client


def parent(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def process_kb(pid, field="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0
