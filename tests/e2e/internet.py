"""A small internet in a network of its own: name server, authority of certificates, and a domain that others' programs serve.

The thread that makes a `Network`, and whatever it starts, see a loopback interface and nothing else, so servers are on port 25 and
found by their MX, and nothing leaves. The name server is Debian's unbound; the others' domain has Debian's Postfix, with
opendkim and opendmarc as an administrator would put them behind it. All are ended by the pids that were started.
"""

import contextlib
import ctypes
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

import congthu
import peers
import scanners

NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
NAME_SERVER = "198.51.100.53"
SILENT_SERVER = "198.51.100.54"  # takes questions and says nothing
START_TIMEOUT = 60.0  # seconds
OWNER = "nobody"  # of the others' mailbox

UNBOUND = """server:
  interface: {address}
  port: 53
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{directory}"
  pidfile: ""
  use-syslog: no
  access-control: 0.0.0.0/0 allow
  module-config: "iterator"
"""

OPENDKIM = """Syslog no
Background no
PidFile {directory}/opendkim.pid
Socket inet:8891@{host}
Mode sv
AuthservID {hostname}
AlwaysAddARHeader yes
InternalHosts {host}
Domain {domain}
Selector s2026
KeyFile {directory}/key.pem
SignatureAlgorithm rsa-sha256
RequireSafeKeys no
Nameservers {name_server}
ResolverConfiguration {directory}/resolver.conf
"""

# The library that opendkim asks by has an answer of its own for everything below `test`.
RESOLVER = """server:
  local-zone: "test." nodefault
"""

OPENDMARC = """Syslog false
Background false
PidFile {directory}/opendmarc.pid
Socket inet:8893@{host}
AuthservID {hostname}
TrustedAuthservIDs {hostname}
SPFSelfValidate true
SPFIgnoreResults true
RejectFailures true
IgnoreHosts {directory}/ourselves
"""


def address_of(number):
    """Of a host. No loopback address: to some programs whoever comes from those is a friend, and what is there no name server."""
    return f"198.51.100.{number}"


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


class Network:
    """From here on this thread has a network of its own, until `close`."""

    def __init__(self, hosts=4):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._must(self.libc.unshare(NEW_NETWORK))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        # Postfix listens only on what an interface has by name.
        for address in (NAME_SERVER, SILENT_SERVER, *map(address_of, range(1, hosts + 1))):
            self.add(address)

    def add(self, address):
        """Of a host here, too."""
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)

    def close(self):
        self._must(self.libc.setns(self.before, NEW_NETWORK))
        os.close(self.before)

    def _must(self, result):
        if result != 0:
            raise congthu.Failed(f"no network of our own: {os.strerror(ctypes.get_errno())}; it needs root")


class Service:
    """A program in the foreground, in a directory of its own."""

    def __init__(self, name):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"congthu-{name}-"))
        self.directory.chmod(0o755)
        self.processes = []

    def spawn(self, *command, address):
        """Starts it, and waits until somebody listens there."""
        with open(self.directory / "output", "ab") as log:
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.processes.append(process)
        deadline = time.monotonic() + START_TIMEOUT
        while not answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise congthu.Failed(f"{command} did not start:\n{(self.directory / 'output').read_text()[-2000:]}")
            time.sleep(0.05)
        return process

    def close(self):
        for process in self.processes:
            process.terminate()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def answers(address):
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(5)
        return probe.connect_ex(address) == 0


class NameServer(Service):
    """unbound; what it knows is in its settings."""

    def __init__(self, name):
        super().__init__(name)
        self.process = None

    def serve(self, *settings):
        """From now on with these behind those of the server."""
        text = UNBOUND.format(address=NAME_SERVER, directory=self.directory) + "".join(settings)
        (self.directory / "unbound.conf").write_text(text)
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.process = self.spawn(scanners.program("unbound"), "-d", "-c", self.directory / "unbound.conf", address=(NAME_SERVER, 53))


class Names(NameServer):
    """It knows these records and nothing else."""

    def __init__(self):
        super().__init__("unbound")
        self.records = {}
        self.unanswered = []
        self.silent = None

    def put(self, name, kind, text):
        """Its only one of that kind, from the next `publish` on."""
        self.records[name, kind] = text

    def leave_unanswered(self, zone):
        """The name server of that zone is silent, from the next `publish` on."""
        if self.silent is None:
            self.silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.silent.bind((SILENT_SERVER, 53))
        self.unanswered.append(zone)

    def publish(self):
        lines = ['  local-zone: "." static\n']
        for (name, kind), text in self.records.items():
            if kind == "TXT":
                text = " ".join(f'"{text[at:at + 250]}"' for at in range(0, len(text), 250))
            lines.append(f"  local-data: '{name}. 5 IN {kind} {text}'\n")
        lines += [f'  local-zone: "{zone}." transparent\n' for zone in self.unanswered]
        lines += [f'forward-zone:\n  name: "{zone}."\n  forward-addr: {SILENT_SERVER}\n' for zone in self.unanswered]
        self.serve(*lines)

    def close(self):
        super().close()
        if self.silent:
            self.silent.close()

    def resolv_conf(self):
        path = self.directory / "resolv.conf"
        path.write_text(f"nameserver {NAME_SERVER}\n")
        path.chmod(0o644)
        return path


class Authority:
    """Signs certificates; `certificate` is what those who believe it have."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="congthu-authority-"))
        self.directory.chmod(0o755)
        self.certificate, self.key = self.directory / "ca.crt", self.directory / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=Authority of the tests",
                "-keyout", self.key, "-out", self.certificate)
        self.certificate.chmod(0o644)

    def sign(self, name, *others, days=30, called=None):
        """Paths of a certificate for these names, and of its key; of one that is `called` otherwise than by its first name. With 0
        days it is over when the second is."""
        certificate, key, request, names = (self.directory / f"{called or name}.{end}" for end in ("crt", "key", "csr", "names"))
        names.write_text(f"subjectAltName={','.join(f'DNS:{one}' for one in (name, *others))}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", days, "-extfile", names, "-out", certificate)
        for path in (certificate, key):
            path.chmod(0o644)  # the service user reads them; they guard nothing
        return certificate, key

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Province(congthu.Congthu):
    """One of ours: a domain with its MX on port 25 of an address of its own."""

    def __init__(self, number, domain, authority, verified, dns="", extra=""):
        extra += f'[dns]\nservers = ["{NAME_SERVER}:53"]\n{dns}[outbound]\nsource = ["{address_of(number)}"]\nallow_private = true\nauthorities = "{authority.certificate}"\n'
        extra += "".join(f'[[route]]\ndomain = "{other}"\ntls = "verified"\n' for other in verified)
        listeners = {name: congthu.LISTENERS[name] for name in ("smtp", "submission", "imaps", "sieve")}
        super().__init__(extra, listeners=listeners, own_certificate=False, hostname=f"mail.{domain}", exempt=(), checked=True)
        self.domain, self.host = domain, address_of(number)
        self.ports["smtp"] = 25
        self.certificate, self.key = authority.sign(self.hostname)
        self.write_config()

    def publish(self, names):
        """What its administrator puts into the domain name system."""
        publish_domain(names, self.domain, self.host)
        for key in self.keys:
            names.put(key["name"], "TXT", key["record"])

    def prepare(self):
        """The server, its domain, a user and keys that sign once they are published."""
        self.start()
        self.add_domain(self.domain)
        self.user = self.add_mailbox(f"an@{self.domain}")
        self.keys = self.json("dkim", "add", self.domain)

    def json(self, *arguments):
        return congthu.json.loads(self.must(*arguments, "--json"))


def publish_domain(names, domain, address):
    names.put(domain, "MX", f"10 mail.{domain}.")
    names.put(f"mail.{domain}", "A", address)
    names.put(".".join(reversed(address.split("."))) + ".in-addr.arpa", "PTR", f"mail.{domain}.")
    names.put(domain, "TXT", f"v=spf1 ip4:{address} -all")
    names.put(f"mail.{domain}", "TXT", f"v=spf1 ip4:{address} -all")
    names.put(f"_dmarc.{domain}", "TXT", "v=DMARC1; p=reject; adkim=s; aspf=s")


class Others(peers.Postfix):
    """A domain of others: Postfix, opendkim and opendmarc. Whoever comes from its own address is one of its users."""

    def __init__(self, number, domain, authority, names):
        self.domain, self.host = domain, address_of(number)
        hostname = f"mail.{domain}"
        self.filters = Service("filters")
        # Their libraries read nothing else.
        self.before = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(names.resolv_conf()))
        mail = self.filters.directory / "mail"
        mail.mkdir()
        owner = pwd.getpwnam(OWNER)
        os.chown(mail, owner.pw_uid, owner.pw_gid)
        certificate, key = authority.sign(hostname)
        self.mail = mail / "all" / "new"
        super().__init__(tls_level="verify", port=25, settings={
            "myhostname": hostname, "mydomain": domain, "relayhost": "", "mynetworks": f"{self.host}/32", "smtp_bind_address": self.host,
            "smtp_tls_CAfile": authority.certificate, "smtpd_tls_cert_file": certificate, "smtpd_tls_key_file": key,
            "smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
            "smtpd_relay_restrictions": "permit_mynetworks,reject_unauth_destination",
            "virtual_mailbox_domains": domain, "virtual_mailbox_maps": "static:all/", "virtual_mailbox_base": mail,
            "virtual_uid_maps": f"static:{owner.pw_uid}", "virtual_gid_maps": f"static:{owner.pw_gid}", "virtual_minimum_uid": "1", "virtual_mailbox_limit": "0",
            "smtpd_milters": f"inet:{self.host}:8891,inet:{self.host}:8893", "milter_default_action": "tempfail"})
        self.write_filters(hostname)
        names.put(f"s2026._domainkey.{domain}", "TXT", f"v=DKIM1; k=rsa; p={self.public}")

    def write_filters(self, hostname):
        directory = self.filters.directory
        key = directory / "key.pem"
        openssl("genrsa", "-traditional", "-out", key, "2048")
        self.public = "".join(openssl("rsa", "-in", key, "-pubout").splitlines()[1:-1])
        words = {"directory": directory, "host": self.host, "hostname": hostname, "domain": self.domain, "name_server": NAME_SERVER}
        (directory / "opendkim.conf").write_text(OPENDKIM.format(**words))
        (directory / "opendmarc.conf").write_text(OPENDMARC.format(**words))
        (directory / "resolver.conf").write_text(RESOLVER)
        (directory / "ourselves").write_text(f"{self.host}\n")

    def start(self):
        directory = self.filters.directory
        self.filters.spawn(*self.before, scanners.program("opendkim"), "-f", "-x", directory / "opendkim.conf", address=(self.host, 8891))
        self.filters.spawn(*self.before, scanners.program("opendmarc"), "-f", "-c", directory / "opendmarc.conf", address=(self.host, 8893))
        super().start()

    def stored(self):
        """The octets of what came, the first first."""
        return [path.read_bytes() for path in sorted(self.mail.glob("*"), key=lambda path: path.stat().st_mtime_ns)]

    def close(self):
        super().close()
        self.filters.close()


def two_provinces(test):
    """The name server of both, and each, in a network of their own; they end with this class of tests. Their records are there from the
    next `publish` on."""
    network = Network()
    test.addClassCleanup(network.close)
    authority, names = Authority(), Names()
    test.addClassCleanup(authority.close)
    test.addClassCleanup(names.close)
    here, there = Province(1, "gui.test", authority, []), Province(2, "nhan.test", authority, [])
    for province in (here, there):
        test.addClassCleanup(province.close)
        province.prepare()
        province.publish(names)
    return names, here, there
