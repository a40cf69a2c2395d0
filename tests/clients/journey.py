"""What every client's journey starts from: one server with a certificate a client can check, and a recorder in front of it."""

import atexit
import base64
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import case
import congthu
import recorder

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", congthu.REPO / "target"))
RECORDINGS = TARGET / "recordings"
VENV = TARGET / "clients-venv"
NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:mail.demo.test"


def sign_certificate(server):
    """An authority of our own, and a certificate by it in place of the server's self-signed one: clients with an
    authority list (Thunderbird) accept nothing else without a person's click."""
    directory = server.directory
    authority, authority_key = directory / "authority.crt", directory / "authority.key"
    request, certificate, key = directory / "tls.csr", directory / "tls.crt", directory / "tls.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = directory / "names"
    names.write_text(NAMES + "\nbasicConstraints=CA:FALSE\n")
    for command in (
        ["req", "-x509", *curve, "-days", "30", "-subj", "/CN=Thử nghiệm CA", "-utf8", "-keyout", authority_key, "-out", authority],
        ["req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial", "-days", "30",
         "-extfile", names, "-out", certificate],
    ):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    for path in (certificate, key):
        path.chmod(0o644)
    server.authority = authority


def shared():
    """The server of all journeys, in the place of the whole-system tests' one."""
    if case._shared is None:
        server = congthu.Congthu()
        atexit.register(server.close)
        sign_certificate(server)
        server.start()
        server.add_domain(case.DOMAIN)
        addresses = [f"can-bo-{i:02}@{case.DOMAIN}" for i in range(40)]
        server.add_mailboxes(addresses)
        server.pool = iter(addresses)
        case._shared = server
    return case._shared


class Journey(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = shared()

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)
        self.user = self.mailbox()

    def record(self, name, door="imaps"):
        """The port of a recorder in front of one of the server's; when the test ends, the record is target/recordings/NAME.txt."""
        opened = self.server.listeners[door][1] == "starttls"
        one = recorder.Recorder(self.server.ports[door], self.server.certificate, self.server.key, opened)
        self.addCleanup(self.keep, one, name)
        return one.port

    def keep(self, one, name):
        one.close()
        RECORDINGS.mkdir(parents=True, exist_ok=True)
        # RFC 4616: with an authorization identity as mutt gives it, and without; then the two alone, for LOGIN.
        secrets = {"plain_own": f"{self.user}\0{self.user}\0{congthu.PASSWORD}", "plain": f"\0{self.user}\0{congthu.PASSWORD}",
                   "user64": self.user, "password64": congthu.PASSWORD}
        packed = [(re.escape(base64.b64encode(secret.encode()).decode()), f"<{variable}>") for variable, secret in secrets.items()]
        replacements = [*packed, (re.escape(self.user), "an@demo.gov.vn"), (re.escape(congthu.PASSWORD), "<password>")]
        (RECORDINGS / f"{name}.txt").write_text(one.text(replacements))

    def python(self, script, *arguments, port):
        """Runs a journey written in Python with the libraries of the virtual environment."""
        done = self.execute(VENV / "bin/python", HERE / script, port, self.user, congthu.PASSWORD,
                            self.server.authority, self.server.ports["smtp"], *arguments, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout
