"""What the bench scripts share: the built load generator, and a server with mailboxes to aim it at."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "e2e"))

import congthu

FILES_MAX = 65536  # open files: thousands of sessions on both sides


def raise_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def generator():
    """The release build of congthu-bench, made when it is missing or old."""
    target = os.environ.get("CARGO_TARGET_DIR", str(REPO / "target")) + "/bench"
    subprocess.run(["cargo", "build", "--release", "--quiet"], check=True, cwd=HERE, env={**os.environ, "CARGO_TARGET_DIR": target})
    return pathlib.Path(target) / "release" / "congthu-bench"


class Bench:
    """A running server with `users` mailboxes, and the generator aimed at it."""

    def __init__(self, users, content=None):
        raise_limits()
        self.program = generator()
        self.server = congthu.Congthu()
        if content:
            place = self.server.directory / content
            place.mkdir()
            place.chmod(0o777)  # the service user's, whoever that is
            self.server.extra = f'[content]\nurl = "file://{place}"\n'
            self.server.write_config()
        self.users = users
        self.server.start()
        self.server.add_domain("bench.test")
        self.server.add_mailbox("bench-0@bench.test", quota="100GB")
        others = [f"bench-{i}@bench.test" for i in range(1, users)]
        if others:
            self.add(others)

    def add(self, addresses):
        path = self.server.directory / "many.csv"
        path.write_text("address,name,class,quota,password\n" + "".join(f"{a},Bench,person,20GB,{congthu.PASSWORD}\n" for a in addresses))
        path.chmod(0o644)
        self.server.must("mailbox", "add-many", str(path), "--no-password-change")

    def run(self, command, **flags):
        """One run of the generator; what it found."""
        server = self.server
        flags = {"smtp": server.ports["smtp"], "imaps": server.ports["imaps"], "users": self.users, "password": congthu.PASSWORD,
                 "pid": server.process.pid, "data": server.directory, **flags}
        arguments = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        done = subprocess.run([str(self.program), command, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise congthu.Failed(f"{done.stderr.strip()}\n{server.log_tail(5)}")
        return json.loads(done.stdout)

    def restart(self):
        self.server.stop()
        self.server.start()

    def close(self):
        self.server.close()


def machine():
    """One line about where this ran."""
    cpu = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) // (1 << 20)
    return f"{os.cpu_count()} × {cpu}, {memory} GB"


def fsync_figure():
    """pg_test_fsync's fdatasync line (operations a second of one 8 KB write), in the temporary directory's file system."""
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_test_fsync"))
    if not programs:
        raise congthu.Failed("pg_test_fsync is not installed (package postgresql-NN)")
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([programs[-1], "-s", "2", "-f", f"{directory}/file"], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if line.split()[:1] == ["fdatasync"]:
            return " ".join(line.split()[1:])
    raise congthu.Failed(f"pg_test_fsync: {done.stdout[-300:]}")
