"""A domain name system that is signed (DNSSEC): a root of our own and the zones below it, signed by ldns, given out by unbound.

unbound hands on what proves an answer and judges nothing itself, so what a test sees is what our server has made of it.
"""

import subprocess

import internet

TTL = 1  # seconds: what is published anew is seen at once
ZONE = """auth-zone:
  name: "{name}"
  zonefile: "{file}"
  for-upstream: yes
  for-downstream: no
  fallback-enabled: no
"""


class Zone:
    """`signed`: "yes"; "no": it has no keys, and the root says so; "over": its signatures were right until last year; "forged": they
    are by keys that the root knows nothing of."""

    def __init__(self, name, signed="yes"):
        self.name, self.signed = name, signed
        self.records = {}
        self.hidden = set()  # (name, kind) that somebody on the way takes out of the answers

    def put(self, name, kind, *texts):
        """Its only ones of that kind, from the next `publish` on."""
        self.records[name, kind] = texts

    def drop(self, name, kind):
        del self.records[name, kind]

    def lines(self):
        at = f"{self.name}." if self.name else "."
        yield f"{at} {TTL} IN SOA ns. root. 1 60 60 60 {TTL}"
        yield f"{at} {TTL} IN NS ns."
        for (name, kind), texts in self.records.items():
            for text in texts:
                yield f"{name}. {TTL} IN {kind} " + (f'"{text}"' if kind == "TXT" else text)


class Signed(internet.NameServer):
    """unbound with the root, in which everything is that is in no zone of its own."""

    def __init__(self):
        super().__init__("signed")
        self.root = Zone("")
        self.root.put("ns", "A", internet.NAME_SERVER)
        self.zones = [self.root]
        self.keys = {}  # of each zone, two
        self.anchors = self.directory / "anchors"
        self.anchors.write_text((self.directory / f"{self.keys_of('')[0]}.key").read_text())
        self.anchors.chmod(0o644)

    def zone(self, name, signed="yes"):
        """One that the root hands on."""
        zone = Zone(name, signed)
        self.zones.append(zone)
        self.root.put(name, "NS", "ns.")
        if signed != "no":
            key = self.keys_of(name)[0]
            self.root.put(name, "DS", (self.directory / f"{key}.ds").read_text().split("DS", 1)[1].strip())
        if signed == "forged":
            self.keys[name] = self.made(name)
        return zone

    def keys_of(self, name):
        if name not in self.keys:
            self.keys[name] = self.made(name)
        return self.keys[name]

    def made(self, name):
        """The names of a key that others name, and of one that signs the records."""
        return [self.ldns("ldns-keygen", "-a", "ECDSAP256SHA256", *kind, f"{name}.").strip() for kind in (["-k"], [])]

    def ldns(self, program, *arguments):
        done = subprocess.run([program, *map(str, arguments)], cwd=self.directory, check=True, capture_output=True, text=True)
        return done.stdout

    def publish(self):
        zones = [ZONE.format(name=f"{zone.name}.", file=self.written(zone)) for zone in self.zones]
        self.serve('  local-zone: "test." nodefault\n', *zones)

    def written(self, zone):
        plain = self.directory / f"zone-{zone.name or 'root'}"
        plain.write_text("\n".join(zone.lines()) + "\n")
        if zone.signed == "no":
            return plain
        signed = plain.with_suffix(".signed")
        dates = ["-i", "20250101", "-e", "20251231"] if zone.signed == "over" else []
        self.ldns("ldns-signzone", *dates, "-o", f"{zone.name}.", "-f", signed, plain, *self.keys_of(zone.name))
        lines = [line for line in signed.read_text().splitlines() if not is_hidden(line, zone.hidden)]
        signed.write_text("\n".join(lines) + "\n")
        return signed


def is_hidden(line, hidden):
    fields = line.split()
    if len(fields) < 5:
        return False
    kind = fields[4] if fields[3] == "RRSIG" else fields[3]
    return (fields[0].rstrip("."), kind) in hidden
