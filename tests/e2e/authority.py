"""Debian's pebble: a real authority (ACME, RFC 8555) on loopback, and names for it."""

import contextlib
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.request

import congthu
import names

READY_TIMEOUT = 30.0  # seconds


def openssl(*arguments, **options):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **options)


def make_roots(directory):
    """Who vouches for pebble's own server; (root, certificate, key)."""
    root, root_key = directory / "root.pem", directory / "root.key"
    request, certificate, key = directory / "ca.csr", directory / "ca.crt", directory / "ca.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-days", "30", "-subj", "/CN=Goc Thu", "-keyout", root_key, "-out", root)
    openssl("req", *curve, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request)
    extensions = directory / "ca.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", request, "-CA", root, "-CAkey", root_key, "-CAcreateserial", "-days", "30",
            "-extfile", extensions, "-out", certificate)
    root.chmod(0o644)
    return root, certificate, key


class Authority:
    """One pebble. `http` and `tls` are the ports where it looks whether a name is ours, 127.0.0.1 the address of all names."""

    def __init__(self, hosts, http=0, tls=0, binding=None, running=True, **settings):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="congthu-pebble-"))
        self.directory.chmod(0o755)
        self.root, certificate, key = make_roots(self.directory)
        self.port, self.management = congthu.free_ports(2)
        self.url = f"https://127.0.0.1:{self.port}/dir"
        self.names = names.Names({(host, "A"): ["127.0.0.1"] for host in hosts})
        config = {"listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}",
                  "certificate": str(certificate), "privateKey": str(key), "httpPort": http, "tlsPort": tls,
                  "ocspResponderURL": "", "externalAccountBindingRequired": binding is not None}
        if binding:
            config["externalAccountMACKeys"] = {binding[0]: binding[1]}
        self.config = self.directory / "pebble.json"
        self.config.write_text(json.dumps({"pebble": config}))
        self.environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20", "PEBBLE_AUTHZREUSE": "0",
                            **settings}
        self.log_path = self.directory / "pebble.log"
        self.process = None
        if running:
            self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("pebble"), "-config", str(self.config), "-dnsserver", f"127.0.0.1:{self.names.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory, env=self.environment)
        deadline = time.monotonic() + READY_TIMEOUT
        while True:
            with contextlib.suppress(OSError):
                self.trusted()
                return
            if time.monotonic() > deadline:
                raise congthu.Failed(f"pebble does not answer:\n{self.log_path.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.stop()
        self.names.close()
        if not os.environ.get("CONGTHU_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def trusted(self):
        """Its root, which clients have to believe; a file."""
        context = ssl.create_default_context(cafile=str(self.root))
        with urllib.request.urlopen(f"https://127.0.0.1:{self.management}/roots/0", context=context, timeout=5) as answer:
            path = self.directory / "issued-by.pem"
            path.write_bytes(answer.read())
            return path

    def told(self, what):
        """How often its log has this."""
        return self.log_path.read_text(errors="replace").count(what)
