"""What the bench scripts share: the built load generator, servers with mailboxes to aim it at, and the machine's figures."""

import functools
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "e2e"))

import congthu

FILES_MAX = 65536  # open files: thousands of sessions on both sides
INDEX_TIMEOUT = 600  # seconds
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def raise_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


@functools.cache
def generator():
    """`CONGTHU_BENCH_BIN`, else the release build of congthu-bench, made when it is missing or old."""
    if named := os.environ.get("CONGTHU_BENCH_BIN"):
        return pathlib.Path(named).resolve()
    target = os.environ.get("CARGO_TARGET_DIR", str(REPO / "target")) + "/bench"
    subprocess.run(["cargo", "build", "--release", "--quiet"], check=True, cwd=HERE, env={**os.environ, "CARGO_TARGET_DIR": target})
    return pathlib.Path(target) / "release" / "congthu-bench"


class Side:
    """One server as the load generator sees it: a TOML. `server` has restart() and log_tail()."""

    def __init__(self, label, server, users, pattern, doors, pid_files, data):
        raise_limits()
        self.label, self.server, self.users = label, server, users
        self.toml = pathlib.Path(server.directory) / f"{pattern.partition('-')[0]}.toml"
        lines = [f'label = "{label}"', 'host = "127.0.0.1"', f"users = {users}", f'user = "{pattern}"', f'password = "{congthu.PASSWORD}"']
        lines += [f'{name} = {{ port = {port}, tls = "{tls}" }}' for name, (port, tls) in doors.items()]
        lines += [f"pid_files = {json.dumps([str(p) for p in pid_files])}", f"data = {json.dumps([str(p) for p in data])}"]
        self.toml.write_text("\n".join(lines) + "\n")
        self.program = generator()

    def run(self, command, **flags):
        """One run of the generator; what it found."""
        arguments = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        done = subprocess.run([str(self.program), command, "--server", str(self.toml), *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise congthu.Failed(f"{self.label}: {done.stderr.strip()}\n{self.server.log_tail(5)}")
        return json.loads(done.stdout)


class Bench(congthu.Congthu):
    """A running server of ours with `users` mailboxes, and the generator aimed at it."""

    def __init__(self, users, content=None, extra=""):
        super().__init__(extra)
        if content:
            place = self.directory / content
            place.mkdir()
            place.chmod(0o777)  # the service user's, whoever that is
            self.extra += f'[content]\nurl = "file://{place}"\n'
            self.write_config()
        self.users = users
        try:
            self.start()
            self.add_domain("bench.test")
            # The load generator sends more in a second than a person may in an hour.
            self.must("policy", "set", "bench.test", "limit.person=" + ",".join(["10000000"] * 4), "--reason", "đo tốc độ")
            self.add_mailbox("bench-0@bench.test", quota="100GB")
            self.add([f"bench-{i}@bench.test" for i in range(1, users)])
            self.aim = self.side()
        except BaseException:
            self.close()
            raise

    def add(self, addresses):
        path = self.directory / "many.csv"
        path.write_text("address,name,class,quota,password\n" + "".join(f"{a},Bench,person,20GB,{congthu.PASSWORD}\n" for a in addresses))
        path.chmod(0o644)
        if addresses:
            self.must("mailbox", "add-many", str(path), "--no-password-change")

    def indexed(self):
        """Waits for the search index, which is filled behind the OK; says how many seconds that took."""
        began = time.monotonic()
        while json.loads(self.must("search", "status", "--json"))["waiting"]:
            if time.monotonic() - began > INDEX_TIMEOUT:
                raise congthu.Failed("the search index does not catch up")
            time.sleep(1)
        return time.monotonic() - began

    def side(self):
        doors = {"smtp": (self.ports["smtp"], "none"), "submission": (self.ports["submission"], "starttls"), "imap": (self.ports["imaps"], "implicit")}
        return Side("Công Thư", self, self.users, "bench-{}@bench.test", doors, [self.pid_file()], [self.data_dir])

    def pid_file(self):
        return self.directory / "congthu.pid"

    def spawn(self):
        process = super().spawn()
        self.pid_file().write_text(f"{process.pid}\n")
        return process

    def bench(self, command, **flags):
        return self.aim.run(command, **flags)

    def restart(self):
        self.stop()
        self.start()


def processor(bench):
    """Milliseconds of processor so far: the server's, its Postgres's. Backends that ended count in the postmaster's."""
    server = bench.process.pid
    spent = {server: used(server, children=False)}
    spent.update((pid, used(pid, children=True)) for pid in bench.postgres_pids())
    return spent[server], sum(spent.values()) - spent[server]


def used(pid, children):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15 if children else 13])) * TICK_MS


def drop_caches():
    """Writes what is dirty and forgets what is cached, where the machine allows it; whether it did."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        return False
    return True


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
