"""Debian's Postfix and Dovecot as a careful administrator would set them up, on loopback ports, in one directory.

Nothing of the machine's own Postfix or Dovecot is touched: Postfix runs with its own configuration and queue directory,
Dovecot with its own base_dir. Both run in the foreground below this process and are ended by the pid that was started.
Mail goes Postfix → LMTP (unix socket) → Dovecot; submission asks Dovecot for passwords. What is set besides the
necessary is in TUNED_POSTFIX and TUNED_DOVECOT, each with its reason, and printed with the results.
"""

import contextlib
import ctypes
import ctypes.util
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import harness
from harness import congthu

PACKAGES = {"postfix": "/usr/sbin/postfix", "dovecot-imapd": "/usr/lib/dovecot/imap", "dovecot-lmtpd": "/usr/lib/dovecot/lmtp"}
OWNER = "mail"  # the system user that owns all mailboxes; every Debian has it
READY_TIMEOUT = 30.0  # seconds
STOP_TIMEOUT = 10.0  # seconds
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")

# The cost of our own hash: crates/engine/src/password.rs
ARGON_PASSES = 2
ARGON_KIB = 19456

# setting: (value, why)
TUNED_POSTFIX = {
    "in_flow_delay": ("0", "no pause of new mail while the queue is behind"),
    "smtpd_client_connection_count_limit": ("0", "the default allows 50 connections of one client"),
    "smtpd_client_connection_rate_limit": ("0", "no rate limit"),
    "smtpd_client_event_limit_exceptions": ("127.0.0.0/8", "anvil's limits do not hold for the load generator"),
    "smtpd_peername_lookup": ("no", "no DNS in the measurement"),
    "smtp_dns_support_level": ("disabled", "no DNS in the measurement"),
    "default_process_limit": ("200", "100 would still do for 32 connections"),
    "initial_destination_concurrency": ("20", "all mail goes to one destination, which is known to be well"),
    "lmtp_destination_concurrency_limit": ("20", "the default, as many LMTP processes as deliver at once"),
    "lmtp_destination_recipient_limit": ("50", "the default: a message for 500 is handed over ten times; Dovecot links the copies of each"),
    "message_size_limit": ("73400320", "70 MB, as the other side; the default is 10 MB"),
    "smtpd_recipient_limit": ("1000", "the default"),
    "smtpd_tls_session_cache_database": ("", "every connection pays its handshake, on both sides"),
}
TUNED_DOVECOT = {
    "mail_fsync": ("optimized", "the default: messages are synced before LMTP's 250 and APPEND's OK"),
    "mail_max_userip_connections": ("0", "the default allows 10 connections of a user from one address"),
    "default_vsz_limit": ("1G", "50,000 messages in one answer"),
    "default_client_limit": ("12000", "5,000 sessions"),
    "default_process_limit": ("6000", "one process for each session"),
}


class Missing(Exception):
    """Something the machine must have."""


def install():
    """Debian's packages, where they are missing, without letting them start anything."""
    missing = [name for name, program in PACKAGES.items() if not pathlib.Path(program).exists()]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"needs {' '.join(missing)}: be root on Debian, or install them")
    made = not POLICY.exists()
    if made:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["debconf-set-selections"], input="postfix postfix/main_mailer_type select No configuration\n", text=True, check=True)
        subprocess.run(["apt-get", "update", "-q"], check=True, env=environment, stdout=sys.stderr)
        subprocess.run(["apt-get", "install", "-qy", "--no-install-recommends", *missing], check=True, env=environment, stdout=sys.stderr)
    finally:
        if made:
            POLICY.unlink()


def argon2id(password):
    """A hash with our parameters, by the library Dovecot verifies with."""
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
    if sodium.sodium_init() < 0:
        raise Missing("libsodium does not start")
    out = ctypes.create_string_buffer(128)
    secret = password.encode()
    if sodium.crypto_pwhash_str_alg(out, secret, ctypes.c_ulonglong(len(secret)), ctypes.c_ulonglong(ARGON_PASSES),
                                    ctypes.c_size_t(ARGON_KIB * 1024), 2) != 0:
        raise Missing("libsodium has no memory for a password hash")
    return "{ARGON2ID}" + out.value.decode()


def crypt(password):
    """Dovecot's default scheme, CRYPT."""
    done = subprocess.run(["doveadm", "-c", "/dev/null", "pw", "-s", "CRYPT", "-p", password], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class PostfixDovecot:
    """One installation: `users` mailboxes bench-N, the same with CRYPT as crypt-N, and Maildir ones maildir-N."""

    def __init__(self, users, fsync="optimized", mail_format="sdbox"):
        install()
        if os.geteuid() != 0:
            raise Missing("Postfix and Dovecot start as root")
        self.users, self.fsync, self.format = users, fsync, mail_format
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="congthu-rival-"))
        self.directory.chmod(0o755)
        self.ports = dict(zip(["smtp", "submission", "imaps", "lmtp"], congthu.free_ports(4)))
        self.certificate, self.key = congthu.make_certificate(self.directory)
        self.processes = {}
        self.login_mode = "performance"
        self.mail = self.directory / "mail"
        self.mail.mkdir()
        shutil.chown(self.mail, OWNER, OWNER)
        self.write_users()
        self.write_postfix()

    # ------------------------------------------------------------ configuration

    def write_users(self):
        owner = pwd.getpwnam(OWNER)
        argon, bcrypt = argon2id(congthu.PASSWORD), crypt(congthu.PASSWORD)
        self.hashes = {"argon2id": argon.split("$")[1:4], "crypt": bcrypt[:14] + "…"}
        lines, addresses = [], []
        for kind, count, hashed in (("bench", self.users, argon), ("crypt", self.users, bcrypt), ("maildir", 1, argon)):
            for number in range(count):
                home = self.mail / f"{'maildir' if kind == 'maildir' else 'bench'}-{number}"
                extra = "userdb_mail=maildir:~/Maildir" if kind == "maildir" else ""
                address = f"{kind}-{number}@bench.test"
                addresses.append(address)
                lines.append(f"{address}:{hashed}:{owner.pw_uid}:{owner.pw_gid}::{home}::{extra}\n")
        path = self.directory / "users"
        path.write_text("".join(lines))
        path.chmod(0o644)
        (self.directory / "mailboxes").write_text("".join(f"{address} x\n" for address in addresses))

    def write_dovecot(self):
        fast = self.login_mode == "performance"
        login = "service_count = 0\n  process_min_avail = 2\n  client_limit = 12000" if fast else "service_count = 1\n  process_limit = 6000"
        tuned = "\n".join(f"{name} = {self.fsync if name == 'mail_fsync' else value}" for name, (value, _) in TUNED_DOVECOT.items())
        place = {"sdbox": "sdbox:~/sdbox", "mdbox": "mdbox:~/mdbox", "maildir": "maildir:~/Maildir"}[self.format]
        (self.directory / "dovecot.conf").write_text(f"""
base_dir = {self.directory}/dovecot
state_dir = {self.directory}/dovecot-state
log_path = {self.directory}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <{self.certificate}
ssl_key = <{self.key}
first_valid_uid = 1
mail_location = {place}
auth_mechanisms = plain login
{tuned}
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = passwd-file
  args = scheme=ARGON2ID username_format=%u {self.directory}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {self.directory}/users
}}
service imap-login {{
  {login}
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {self.ports['imaps']}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 6000
  process_min_avail = {4 if fast else 0}
}}
service lmtp {{
  process_min_avail = 4
  unix_listener {self.directory}/queue/private/dovecot-lmtp {{
    user = postfix
    group = postfix
    mode = 0600
  }}
}}
service anvil {{
  client_limit = 20000
}}
service auth {{
  client_limit = 20000
  unix_listener {self.directory}/queue/private/auth {{
    user = postfix
    group = postfix
    mode = 0660
  }}
}}
""")

    def write_postfix(self):
        etc, queue, data = (self.directory / name for name in ("postfix", "queue", "postfix-data"))
        for path in (etc, queue, data):
            path.mkdir()
        shutil.chown(data, "postfix", "postfix")
        settings = {
            "compatibility_level": "3.6", "config_directory": etc, "queue_directory": queue, "data_directory": data,
            "mail_owner": "postfix", "setgid_group": "postdrop", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "myhostname": "mail.demo.test", "mydestination": "", "mynetworks": "127.0.0.0/8", "alias_maps": "", "alias_database": "",
            "maillog_file": self.directory / "postfix.log", "maillog_file_prefixes": self.directory,
            "virtual_mailbox_domains": "bench.test", "virtual_mailbox_maps": f"texthash:{self.directory}/mailboxes",
            "virtual_transport": "lmtp:unix:private/dovecot-lmtp",
            "smtpd_tls_cert_file": self.certificate, "smtpd_tls_key_file": self.key, "smtpd_tls_security_level": "may",
            "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "private/auth", "smtpd_tls_auth_only": "yes",
            **{name: value for name, (value, _) in TUNED_POSTFIX.items()},
        }
        (etc / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        smtp, submission = f"127.0.0.1:{self.ports['smtp']}", f"127.0.0.1:{self.ports['submission']}"
        (etc / "master.cf").write_text(f"""
{smtp} inet n - n - - smtpd
{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")

    # ------------------------------------------------------------ processes

    def start(self):
        self.write_dovecot()
        # Postfix makes its queue's directories, where Dovecot then puts its sockets.
        self.spawn("postfix", ["postfix", "-c", str(self.directory / "postfix"), "start-fg"])
        self.wait(lambda: (self.directory / "queue" / "private").is_dir() and self.greets("smtp"), "Postfix")
        self.spawn("dovecot", ["dovecot", "-F", "-c", str(self.directory / "dovecot.conf")])
        self.wait(lambda: self.greets("imaps") and (self.directory / "queue/private/dovecot-lmtp").exists(), "Dovecot")

    def spawn(self, name, command):
        with open(self.directory / f"{name}.out", "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=self.directory)
        self.processes[name] = process

    def wait(self, ready, what):
        deadline = time.monotonic() + READY_TIMEOUT
        while not ready():
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise congthu.Failed(f"{what} does not start:\n{self.log_tail(20)}")
            time.sleep(0.05)

    def greets(self, port):
        with contextlib.closing(socket.socket()) as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.ports[port])) == 0

    def stop(self):
        started = [tree for name in self.processes for tree in self.tree(name)]
        for name in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid(name), signal.SIGTERM)
        for process in self.processes.values():
            process.wait(STOP_TIMEOUT)
        self.processes.clear()
        # What served a client may live on until it notices; it is ours by its pid and its start.
        deadline = time.monotonic() + STOP_TIMEOUT
        while left := [pid for pid, born in started if born and birth(pid) == born]:
            if time.monotonic() > deadline:
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def pid(self, name):
        """The master's pid: `postfix start-fg` is a shell that waits for it."""
        return int(self.pid_files()[name].read_text())

    def pid_files(self):
        return {"postfix": self.directory / "queue/pid/master.pid", "dovecot": self.directory / "dovecot/master.pid"}

    def tree(self, name):
        """(pid, start) of a master and all below it."""
        found = [self.pid(name)]
        for pid in found:
            # Some end while they are looked at.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
                    found += [int(child) for child in (task / "children").read_text().split()]
        return [(pid, birth(pid)) for pid in found]

    def restart(self, login_mode=None):
        self.stop()
        self.login_mode = login_mode or self.login_mode
        self.start()

    def close(self):
        try:
            self.stop()
        finally:
            if not os.environ.get("CONGTHU_KEEP"):
                shutil.rmtree(self.directory, ignore_errors=True)

    def log_tail(self, lines=10):
        tails = []
        for name in ("postfix.out", "postfix.log", "dovecot.out", "dovecot.log"):
            with contextlib.suppress(OSError):
                tails += [f"{name}: {line}" for line in (self.directory / name).read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(tails)

    # ------------------------------------------------------------ sides of a race

    def side(self, kind="bench"):
        pids = self.pid_files().values()
        doors = {"smtp": (self.ports["smtp"], "none"), "submission": (self.ports["submission"], "starttls"), "imap": (self.ports["imaps"], "implicit")}
        users = 1 if kind == "maildir" else self.users
        return harness.Side(f"Postfix + Dovecot {kind}", self, users, f"{kind}-{{}}@bench.test", doors, pids, [self.mail])


def birth(pid):
    """When a process began, in clock ticks; None when it is no more."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def versions():
    ask = lambda command: subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return f"Postfix {ask(['postconf', '-dh', 'mail_version'])}, Dovecot {ask(['dovecot', '--version'])}"
