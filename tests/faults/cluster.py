"""A Postgres for several nodes: on a loopback port, as `initdb` leaves it, which is durable; ended by its pid."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import congthu

OWNER = "postgres"  # Postgres does not run as root; the package makes this user
CONNECTIONS = 300  # of some nodes
START_TIMEOUT = 60.0  # seconds


class Cluster:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="congthu-postgres-"))
        self.data = self.directory / "data"
        self.programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.who = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
            self.who = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        (self.port,) = congthu.free_ports(1)
        self.process = None

    @property
    def url(self):
        return f"postgres://postgres@127.0.0.1:{self.port}/congthu"

    def start(self):
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions")
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\nmax_connections = {CONNECTIONS}\n"
                       "shared_buffers = 256MB\nlog_line_prefix = '%m [%p] '\n")
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen([self.programs / "postgres", "-D", self.data], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, cwd="/", **self.who)
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self.sql("create database congthu template template0", database="postgres")
                return
            except congthu.Failed as failure:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise congthu.Failed(f"Postgres does not start: {failure}") from None
                time.sleep(0.1)

    def sql(self, statement, database="congthu"):
        """A row a line, fields parted by `|`."""
        return self._run("psql", "-XAtqv", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-d", database, "-c", statement).strip()

    def _run(self, program, *arguments):
        done = subprocess.run([str(self.programs / program), *map(str, arguments)], capture_output=True, text=True, cwd="/", **self.who)
        if done.returncode != 0:
            raise congthu.Failed(f"{program}: {done.stderr.strip()}")
        return done.stdout

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
        if not os.environ.get("CONGTHU_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
