"""SPF, the whole table of crates/guard/src/spf, as a stranger meets it: the records are served by Debian's unbound, the mail comes to port
25 from the addresses of the cases, and what was found out is read in the message that was stored.

unbound has one zone, the root, in a file; a name whose servers are broken is a zone that it is secondary of, and whose primary is not
there (SERVFAIL); one that nobody answers for is dropped (`deny`). Cases of which one says otherwise of a name than another are served one
after the other.
"""

import collections
import dataclasses
import ipaddress
import re
import socket
import struct
import subprocess
import time
import unittest

import case
import congthu
import internet
import wire

TABLE = congthu.REPO / "crates" / "guard" / "src" / "spf"
HELO = "mx.helo.test"
LOCAL = "strong-bad"
OUTCOMES = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}
CASES_MIN = 150
FOUR, SIX = internet.address_of(1), "2001:db8:25::25"  # where our server is
NOBODY = internet.address_of(4)
BALANCED_PORT = 2525
MAPPED = "::ffff:"  # an address of IPv4 as one of IPv6: no socket of ours has such a client, so a balancer says that it is one
STRING_MAX = 255  # octets of a string of a text (RFC 1035 3.3)
SILENT = "silent.vn"

ROOT = """{answered}  local-zone: "{silent}." deny
auth-zone:
  name: "."
  zonefile: "{directory}/root"
  for-upstream: no
  for-downstream: yes
  fallback-enabled: no
"""
# unbound has answers of its own for the addresses of documents and for what is called test.
ANSWERED = ["test", "2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"]
BROKEN = """auth-zone:
  name: "{name}."
  primary: {nobody}
  for-upstream: no
  for-downstream: yes
  fallback-enabled: no
"""

# What takes the real server to say, besides the table: nobody answers, and the name of what is asked for is an alias.
FURTHER = f"""
192.0.2.1 | temperror | v=spf1 a:{SILENT} -all |
192.0.2.1 | permerror | v=spf1 include:{SILENT} nonsense |
192.0.2.1 | pass | v=spf1 a:alias.vn -all | alias.vn CNAME host.vn
192.0.2.1 | pass | v=spf1 include:other.vn -all | other.vn CNAME pass.vn
192.0.2.9 | permerror | v=spf1 a:alias1.vn a:alias2.vn a:alias3.vn -all | alias1.vn CNAME no1.vn; alias2.vn CNAME no2.vn; alias3.vn CNAME no3.vn
"""


@dataclasses.dataclass
class Row:
    number: int
    ip: str
    expected: str
    lines: list  # (name, kind, data) of its own
    absent: set  # names that it has nothing at, and asks for

    @property
    def domain(self):
        return f"case{self.number}.test"


def zone_line(text):
    name, kind, *data = text.split(" ", 2)
    return name.lower(), kind, data[0].strip() if data else ""


def reverse(ip):
    """The name of an address (RFC 1035 3.5, RFC 3596 2.5)."""
    if ":" not in ip:
        return ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
    return ipaddress.ip_address(ip).reverse_pointer


def read_row(number, line):
    ip, expected, record, more = (part.strip() for part in line.split(" |", 3))
    domain = f"case{number}.test"
    own = [part.strip().replace("@", domain) for part in more.split(";") if part.strip()]
    lines = [zone_line(part) for part in own]
    if record:
        lines.insert(0, (domain, "TXT", record.replace("@", domain)))
    asks_back = re.search(r"(?i)\bptr\b|%\{p", record)
    plain = ip.removeprefix(MAPPED)
    absent = {reverse(plain)} - {name for name, _, _ in lines} if asks_back else set()
    return Row(number, ip, expected, lines, absent)


def read_table():
    text = (TABLE / "table.txt").read_text().splitlines()
    rows = [read_row(number, line) for number, line in enumerate(text) if line and not line.startswith("#")]
    further = [line for line in FURTHER.splitlines() if line]
    return rows, [read_row(len(text) + at, line) for at, line in enumerate(further)]


def rounds(rows):
    """Of each, cases that say nothing different of the same name."""
    found = []
    for row in rows:
        says = collections.defaultdict(list)
        for name, kind, data in row.lines:
            says[name].append((kind, data.lower()))
        says.update({name: [] for name in row.absent})
        for known, fellows in found:
            if all(sorted(known.get(name, said)) == sorted(said) for name, said in says.items()):
                known.update(says)
                fellows.append(row)
                break
        else:
            found.append((dict(says), [row]))
    return [fellows for _, fellows in found]


class Zones(internet.NameServer):
    """unbound with the records of some cases; nothing of what it says may be remembered."""

    def __init__(self):
        super().__init__("spf")
        self.common = [zone_line(line) for line in (TABLE / "zone.txt").read_text().splitlines() if line and not line.startswith("#")]

    def serve_cases(self, rows):
        lines = list(dict.fromkeys(self.common + [line for row in rows for line in row.lines]))
        broken = [name for name, kind, _ in lines if kind == "SERVFAIL"]
        written = [". 0 IN SOA ns. root. 1 60 60 60 0", ". 0 IN NS ns."]
        written += [f"{name}. 0 IN {kind} {self.data(kind, data)}" for name, kind, data in lines if kind != "SERVFAIL"]
        (self.directory / "root").write_text("\n".join(written) + "\n")
        answered = "".join(f'  local-zone: "{name}." nodefault\n' for name in ANSWERED)
        root = ROOT.format(directory=self.directory, answered=answered, silent=SILENT)
        self.serve(root, *(BROKEN.format(name=name, nobody=NOBODY) for name in broken))

    @staticmethod
    def data(kind, data):
        if kind == "TXT":
            quoted = data.replace("\\", "\\\\").replace('"', '\\"')
            return " ".join(f'"{quoted[at:at + STRING_MAX]}"' for at in range(0, len(quoted), STRING_MAX))
        if kind in ("PTR", "CNAME"):
            return data.rstrip(".") + "."
        if kind == "MX":
            preference, host = data.split()
            return f"{preference} {host.rstrip('.')}."
        return data


class Balanced(wire.Smtp):
    """By a balancer, which says whose connection it is (PROXY protocol, version 2)."""

    def __init__(self, client):
        self.stream = wire.Stream(SIX, BALANCED_PORT, source=SIX)
        addresses = b"".join(socket.inet_pton(socket.AF_INET6, address) for address in (client, SIX))
        self.raw(b"\r\n\r\n\0\r\nQUIT\n\x21\x21" + struct.pack("!H", len(addresses) + 4) + addresses + struct.pack("!HH", 4000, 25))
        self.lmtp, self.extensions = False, {}
        self.greeting = self.reply()


class Spf(case.Case):
    @classmethod
    def setUpClass(cls):
        network = internet.Network()
        cls.addClassCleanup(network.close)
        cls.table, cls.further = read_table()
        for ip in sorted({row.ip for row in cls.table if ":" not in row.ip}):
            cls.has_address(f"{ip}/32")
        for ip in sorted({row.ip for row in cls.table if ":" in row.ip and not row.ip.startswith(MAPPED)}) + [SIX]:
            cls.has_address(f"{ip}/128", "nodad")
        cls.zones = Zones()
        cls.addClassCleanup(cls.zones.close)
        doors = f'[[listener]]\nprotocol = "smtp"\nbind = "[{SIX}]:25"\n'
        doors += f'[[listener]]\nprotocol = "smtp"\nbind = "[{SIX}]:{BALANCED_PORT}"\nproxies = ["{SIX}/128"]\n'
        listeners = {name: congthu.LISTENERS[name] for name in ("smtp", "imaps")}
        cls.server = congthu.Congthu(f'[dns]\nservers = ["{internet.NAME_SERVER}:53"]\n{doors}', listeners=listeners, checked=True)
        cls.server.host, cls.server.ports["smtp"] = FOUR, 25
        cls.server.write_config()
        cls.addClassCleanup(cls.server.close)
        cls.zones.serve_cases([])
        cls.server.start()
        cls.server.add_domain(case.DOMAIN)
        cls.reader = cls.server.add_mailbox(f"doc@{case.DOMAIN}")

    @staticmethod
    def has_address(address, *more):
        subprocess.run(["ip", "address", "add", address, "dev", "lo", *more], check=True)

    def bring(self, rows):
        """All of one address over one connection."""
        by_address = collections.defaultdict(list)
        for row in rows:
            by_address[row.ip].append(row)
        for ip, of_ip in by_address.items():
            if ip.startswith(MAPPED):
                smtp = Balanced(ip)
            else:
                smtp = wire.Smtp(SIX if ":" in ip else FOUR, 25, source=ip)
            smtp.hello(HELO)
            for row in of_ip:
                accepted, replies = smtp.envelope(f"{LOCAL}@{row.domain}", [self.reader])
                self.assertEqual(len(accepted), 1, [str(reply) for reply in replies])
                (reply,) = smtp.data(self.message(subject=f"case {row.number}", sender="a@author.test"), 1)
                self.assertEqual(reply.code, 250, f"{row}: {reply}")
            smtp.quit()

    def found(self):
        """By domain: what our server has written of it, and where the message lies."""
        found = {}
        for folder in ("INBOX", "Junk"):
            for octets in self.stored(self.reader, folder):
                header = octets.partition(b"\r\n\r\n")[0].decode()
                (outcome, domain), = re.findall(r"\bspf=(\w+) smtp\.mailfrom=([^;\s]+)", header)
                found[domain] = (outcome, folder)
        return found

    def test_every_case_of_the_table_and_what_a_real_server_adds(self):
        began, number = time.monotonic(), 0
        self.balanced = sum(row.ip.startswith(MAPPED) for row in self.table)
        # What nobody answers for takes its time, of which everything of a round would have to wait.
        for number, rows in enumerate(rounds(self.table) + [self.further], 1):
            self.zones.serve_cases(rows)
            self.bring(rows)
        found = self.found()
        everything = self.table + self.further
        wrong = [f"line {row.number + 1}: {found.get(row.domain)} in place of {row.expected}: {row.lines}"
                 for row in everything if found.get(row.domain, ("",))[0] != row.expected]
        self.assertEqual(wrong, [], "\n".join(wrong))
        self.assertGreaterEqual(len(self.table), CASES_MIN)
        self.assertEqual({row.expected for row in self.table}, OUTCOMES)
        # Policy keeps what fails apart, and nothing else.
        self.assertEqual({outcome for outcome, folder in found.values() if folder == "Junk"}, {"fail"})
        print(f"\nSPF: {len(self.table)} cases of the table and {len(self.further)} more, served by unbound in {number} rounds, "
              f"{time.monotonic() - began:.1f} s; none left out ({self.balanced} came by a balancer: a socket of IPv6 takes no client of IPv4)", end=" ", flush=True)


if __name__ == "__main__":
    unittest.main()
