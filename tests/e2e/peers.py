"""Real mail servers next to ours: Postfix relays to us, Dovecot shows that a test can pass and fail elsewhere.

Each has its own directories and loopback ports; the machine's own configuration is neither read nor changed.
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import congthu
import wire


class Postfix:
    """A Postfix that sends everything it accepts to one host and port, over TLS or not at all; `settings` say otherwise."""

    host = "127.0.0.1"
    before = ()  # what its programs are started by

    def __init__(self, relay_port=None, tls_level="encrypt", settings=None, port=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="congthu-postfix-"))
        self.directory.chmod(0o755)
        self.config = self.directory / "etc"
        self.port = port or congthu.free_ports(1)[0]
        self.write(relay_port, tls_level, settings or {})

    def write(self, relay_port, tls_level, others):
        for name in ("etc", "queue", "data"):
            (self.directory / name).mkdir()
        shutil.chown(self.directory / "data", "postfix", "postfix")
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.directory / "queue",
            "data_directory": self.directory / "data",
            "maillog_file": self.directory / "mail.log",
            "maillog_file_prefixes": str(self.directory),
            "myhostname": "relay.other.test", "mydestination": "", "inet_interfaces": self.host, "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8", "relayhost": f"[127.0.0.1]:{relay_port}",
            "smtp_tls_security_level": tls_level, "smtp_tls_loglevel": "1",
            "smtpd_relay_restrictions": "permit_mynetworks,reject", "alias_maps": "", "alias_database": "",
            "message_size_limit": "104857600", "mailbox_size_limit": "0", "smtputf8_enable": "yes",
            "minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s", **others,
        }
        self.set(settings)
        master = pathlib.Path("/etc/postfix/master.cf")
        source = master if master.exists() else pathlib.Path("/usr/share/postfix/master.cf.dist")
        lines = []
        for line in source.read_text().splitlines():
            fields = line.split()
            if line.startswith("smtp ") and fields[1] == "inet":
                fields[0] = f"{self.host}:{self.port}"
            if len(fields) >= 8 and not line.startswith((" ", "#")):
                fields[4] = "n"  # no chroot: it would need the machine's files copied
                line = " ".join(fields)
            lines.append(line)
        (self.config / "master.cf").write_text("\n".join(lines) + "\n")

    def set(self, settings):
        """Later settings win over earlier ones; before the start."""
        with open(self.config / "main.cf", "a") as file:
            file.write("".join(f"{k} = {v}\n" for k, v in settings.items()))

    def run(self, program, *arguments):
        """One of Postfix' own commands, with this configuration."""
        done = subprocess.run([program, "-c", str(self.config), *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise congthu.Failed(f"{program} {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def _postfix(self, *arguments):
        return subprocess.run([*self.before, "postfix", "-c", str(self.config), *arguments], capture_output=True, text=True, timeout=60)

    def start(self):
        done = self._postfix("start")
        if done.returncode != 0:
            raise congthu.Failed(f"postfix start: {done.stderr}{self.log()}")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                wire.Smtp(self.host, self.port).quit()
                return
            except wire.Lost:
                time.sleep(0.05)
        raise congthu.Failed(f"postfix does not answer: {self.log()}")

    def log(self):
        path = self.directory / "mail.log"
        return path.read_text(errors="replace") if path.exists() else "(no log)"

    def queued(self):
        """Queue ids still waiting."""
        return [line for line in self.run("postqueue", "-j").splitlines() if line.strip()]

    def close(self):
        self._postfix("stop")
        shutil.rmtree(self.directory, ignore_errors=True)


class Dovecot:
    """Enough of `congthu.Congthu` to run the crash drill and the reading tests against Dovecot (IMAP, LMTP)."""

    keeps_bare = False  # it stores lines, not bytes

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="congthu-dovecot-"))
        self.directory.chmod(0o755)
        self.host = "127.0.0.1"
        self.listeners = {"lmtp": ("lmtp", "none"), "imap": ("imap", "starttls"), "imaps": ("imap", "implicit")}
        self.ports = dict(zip(self.listeners, congthu.free_ports(3)))
        self.certificate, self.key = congthu.make_certificate(self.directory)
        self.log_path = self.directory / "log"
        self.process = None
        owner = pwd.getpwnam("nobody")
        for name in ("mail", "run", "state"):
            (self.directory / name).mkdir()
        os.chown(self.directory / "mail", owner.pw_uid, owner.pw_gid)
        (self.directory / "dovecot.conf").write_text(f"""
base_dir = {self.directory}/run
state_dir = {self.directory}/state
log_path = {self.log_path}
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{self.certificate}
ssl_key = <{self.key}
mail_location = sdbox:{self.directory}/mail/%u
mail_fsync = always
first_valid_uid = 1
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password={congthu.PASSWORD}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={self.directory}/mail/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    port = {self.ports["lmtp"]}
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {self.ports["imap"]}
  }}
  inet_listener imaps {{
    port = {self.ports["imaps"]}
    ssl = yes
  }}
}}
""")

    def spawn(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", str(self.directory / "dovecot.conf")], start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, timeout=30.0):
        began = time.monotonic()
        self.spawn()
        while time.monotonic() - began < timeout:
            if not self.running():  # processes of the killed one still hold the ports for a moment
                self.spawn()
            if self.is_ready():
                return time.monotonic() - began
            time.sleep(0.02)
        raise congthu.Failed(f"dovecot was not ready:\n{self.log_tail()}")

    def is_ready(self):
        try:
            imap = self.imap("nobody@drill.test", timeout=5)
            imap.close()
            self.smtp("lmtp", timeout=5).close()
            return True
        except (wire.Lost, wire.Refused):
            return False

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.running():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def add_domain(self, domain):
        """Any is taken."""

    def add_mailbox(self, address, quota=None):
        """Any is taken."""

    def postmasters(self):
        return []

    def postmaster_pid(self):
        return None

    log_tail = congthu.Congthu.log_tail
    smtp = congthu.Congthu.smtp
    imap = congthu.Congthu.imap
