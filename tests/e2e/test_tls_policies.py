"""DANE (RFC 7672) and MTA-STS (RFC 8461), end to end: domains whose keys, certificates and policies are right, wrong or over, a signed domain
name system that is right, wrong or over, and somebody on the way who takes the offer of TLS away. Each gets its mail, or it waits."""

import dataclasses
import hashlib
import json
import re
import ssl
import time
import unittest

import case
import congthu
import internet
import signed
import sinks

PATIENCE = 60  # seconds until what was sent must have come, or wait
WEB, WEB_OVER, WEB_OF_ANOTHER, FIRST, HOSTS = 2, 3, 4, 5, 50  # hosts

# What a server shows: for its own name, for another one, one that is over, one of an authority that nobody knows, or all of this.
OWN, OTHER, OVER, STRANGER, WORST = "own", "other", "over", "stranger", "worst"
# What becomes of the mail; a number is the status with which it waits.
VERIFIED, UNVERIFIED, CLEAR = "verified", "unverified", "clear"
WRONG, NOT_NAMED, NO_TLS = "4.7.5", "4.7.8", "4.7.10"


@dataclasses.dataclass
class Domain:
    name: str
    outcome: str
    shows: str = OWN
    keys: tuple = ()  # TLSA: "right", "wrong", "authority", "unusable"
    zone: str | None = None  # of its own: `signed.Zone`; else in the signed root
    hides: bool = False  # somebody on the way takes its keys out of the answers
    policy: str | None = None  # MTA-STS: the mode
    mx: str = "mail.{}"  # what the policy names
    max_age: int = 86400
    web: int = WEB
    stripped: bool = False  # somebody on the way takes STARTTLS away

    @property
    def host(self):
        return f"mail.{self.name}"


DANE = [
    # Right: the key of the server, whatever else its certificate says (RFC 7672 3.1.1), one of two, and that of who signed it.
    Domain("khoa-dung.test", VERIFIED, WORST, ("right",), zone="yes"),
    Domain("hai-khoa.test", VERIFIED, WORST, ("wrong", "right")),
    Domain("co-quan.test", VERIFIED, OWN, ("authority",)),
    # Wrong: another key; an authority's where the certificate is of another one, for another name, or over (3.1.2).
    Domain("khoa-sai.test", WRONG, OWN, ("wrong",), zone="yes"),
    Domain("co-quan-la.test", WRONG, STRANGER, ("authority",)),
    Domain("co-quan-khac-ten.test", WRONG, OTHER, ("authority",)),
    Domain("co-quan-het-han.test", WRONG, OVER, ("authority",)),
    # Keys that no mail server may use ask for TLS, and for nothing more (2.2, 3.1.3); none ask for nothing.
    Domain("khoa-vo-dung.test", UNVERIFIED, WORST, ("unusable",)),
    Domain("khong-khoa.test", UNVERIFIED, WORST, zone="yes"),
    # Proven that nobody signs: whatever stands there is believed by nobody (2.1.2).
    Domain("khong-ky.test", UNVERIFIED, WORST, ("wrong",), zone="no"),
    # Signatures that are over, by a key that nobody vouches for, or with the keys taken out: nothing may be sent (2.1.2).
    Domain("chu-ky-het-han.test", WRONG, OWN, ("right",), zone="over"),
    Domain("chu-ky-gia.test", WRONG, OWN, ("right",), zone="forged"),
    Domain("khoa-bi-giau.test", WRONG, WORST, ("wrong",), zone="yes", hides=True),
    # STARTTLS is taken away: noticed wherever there is a key, even one of no use.
    Domain("khoa-tuoc.test", NO_TLS, OWN, ("right",), stripped=True),
    Domain("vo-dung-tuoc.test", NO_TLS, OWN, ("unusable",), stripped=True),
    Domain("khong-khoa-tuoc.test", CLEAR, OWN, stripped=True),
]

MTA_STS = [
    # Right, by name and by pattern; wrong in each way (RFC 8461 4.1, 4.2, 5).
    Domain("buoc.test", VERIFIED, OWN, policy="enforce"),
    Domain("buoc-mau.test", VERIFIED, OWN, policy="enforce", mx="*.{}"),
    Domain("buoc-khac-ten.test", WRONG, OTHER, policy="enforce"),
    Domain("buoc-het-han.test", WRONG, OVER, policy="enforce"),
    Domain("buoc-la.test", WRONG, STRANGER, policy="enforce"),
    Domain("buoc-khac-may.test", NOT_NAMED, OWN, policy="enforce", mx="mx2.{}"),
    Domain("buoc-tuoc.test", NO_TLS, OWN, policy="enforce", stripped=True),
    # What is only tested, or not wanted any more, keeps no mail back.
    Domain("thu.test", UNVERIFIED, OTHER, policy="testing", mx="mx2.{}"),
    Domain("thu-tuoc.test", CLEAR, OWN, policy="testing", stripped=True),
    Domain("thoi.test", UNVERIFIED, OTHER, policy="none"),
    # Whoever hands the policy out has to show that he may (3.3); else it was never there.
    Domain("trang-het-han.test", UNVERIFIED, OTHER, policy="enforce", web=WEB_OVER),
    Domain("trang-khac-ten.test", UNVERIFIED, OTHER, policy="enforce", web=WEB_OF_ANOTHER),
    # Keys outweigh the policy, both ways (2).
    Domain("khoa-hon-buoc.test", VERIFIED, WORST, ("right",), policy="enforce", mx="mx2.{}"),
    Domain("khoa-sai-buoc-dung.test", WRONG, OWN, ("wrong",), policy="enforce"),
]

# A policy that is known holds for its time.
HOLDS = Domain("con-han.test", WRONG, OTHER, policy="enforce")
ENDED = Domain("qua-han.test", WRONG, OTHER, policy="enforce", max_age=1)
WITHDRAWN = Domain("rut-lai.test", WRONG, OTHER, policy="enforce")
KNOWN = [HOLDS, ENDED, WITHDRAWN]


def digest_of_key(certificate):
    """SHA-256 of the public key as the certificate has it."""
    der = certificate.with_suffix(".spki")
    public = certificate.with_suffix(".pub")
    public.write_text(internet.openssl("x509", "-in", certificate, "-noout", "-pubkey"))
    internet.openssl("pkey", "-pubin", "-in", public, "-outform", "DER", "-out", der)
    return hashlib.sha256(der.read_bytes()).hexdigest()


class World:
    """The servers of the domains, on hosts of their own, and what they publish."""

    def __init__(self, domains, cleanup):
        self.authority, self.unknown, self.names = internet.Authority(), internet.Authority(), signed.Signed()
        for part in (self.authority, self.unknown, self.names):
            cleanup(part.close)
        self.sinks, self.strippers, self.zones, self.webs = {}, {}, {}, {}
        hosts = [f"mta-sts.{domain.name}" for domain in domains if domain.policy]
        for number, certified in (
            (WEB, self.authority.sign(*hosts)), (WEB_OVER, self.authority.sign(*hosts, days=0, called="web-over")),
            (WEB_OF_ANOTHER, self.authority.sign("mta-sts.ai-do.test")),
        ):
            self.webs[number] = sinks.Web(internet.address_of(number), certified, {})
            cleanup(self.webs[number].close)
        free = iter(range(FIRST, HOSTS + 1))
        for domain in domains:
            self.add(domain, free, cleanup)

    def add(self, domain, free, cleanup):
        zone = self.zones[domain.name] = self.names.zone(domain.name, domain.zone) if domain.zone else self.names.root
        certificate, key = self.shown(domain)
        address = at = internet.address_of(next(free))
        sink = self.sinks[domain.name] = sinks.Sink(at, (certificate, key))
        cleanup(sink.close)
        if domain.stripped:
            at = internet.address_of(next(free))
            self.strippers[domain.name] = sinks.Stripper(at, address)
            cleanup(self.strippers[domain.name].close)
        zone.put(domain.name, "MX", f"10 {domain.host}.")
        zone.put(domain.host, "A", at)
        if domain.keys:
            zone.put(f"_25._tcp.{domain.host}", "TLSA", *(self.key(kind, certificate) for kind in domain.keys))
        if domain.hides:
            zone.hidden.add((f"_25._tcp.{domain.host}", "TLSA"))
        if domain.policy:
            zone.put(f"mta-sts.{domain.name}", "A", internet.address_of(domain.web))
            self.announce(domain, domain.policy, 1)

    def shown(self, domain):
        """A chain and its key; the authority is in the chain, as DANE has it (RFC 7672 3.1.2)."""
        issuer = self.unknown if domain.shows in (STRANGER, WORST) else self.authority
        name = "mail.ai-do.test" if domain.shows in (OTHER, WORST) else domain.host
        certificate, key = issuer.sign(name, days=0 if domain.shows in (OVER, WORST) else 30, called=domain.name)
        certificate.write_text(certificate.read_text() + issuer.certificate.read_text())
        return certificate, key

    def key(self, kind, certificate):
        if kind == "authority":
            of = ssl.PEM_cert_to_DER_cert(self.authority.certificate.read_text())
            return f"2 0 1 {hashlib.sha256(of).hexdigest()}"
        right = digest_of_key(certificate)
        return {"right": f"3 1 1 {right}", "wrong": f"3 1 1 {right[::-1]}", "unusable": f"1 1 1 {right}"}[kind]

    def announce(self, domain, mode, number):
        text = f"version: STSv1\nmode: {mode}\nmx: {domain.mx.format(domain.name)}\nmax_age: {domain.max_age}\n"
        self.webs[domain.web].documents[f"mta-sts.{domain.name}", "/.well-known/mta-sts.txt"] = text
        self.zones[domain.name].put(f"_mta-sts.{domain.name}", "TXT", f"v=STSv1; id={number};")

    def hush(self, domain):
        """Neither the announcement nor the policy is there any more."""
        del self.webs[domain.web].documents[f"mta-sts.{domain.name}", "/.well-known/mta-sts.txt"]
        self.zones[domain.name].drop(f"_mta-sts.{domain.name}", "TXT")


class TlsPolicies(case.Case):
    @classmethod
    def setUpClass(cls):
        domains = DANE + MTA_STS + KNOWN
        network = internet.Network(hosts=HOSTS)
        cls.addClassCleanup(network.close)
        cls.world = World(domains, cls.addClassCleanup)
        cls.world.names.publish()
        cls.here = internet.Province(1, "gui.test", cls.world.authority, [], dns=f'anchors = "{cls.world.names.anchors}"\n',
                                     extra='[log]\nfilter = "info,postgres=warn,smtp=debug"\n')
        cls.addClassCleanup(cls.here.close)
        cls.here.prepare()

    # ------------------------------------------------------------ steps

    def submit(self, domains):
        done = self.execute(
            self.tool("swaks"), "--server", f"{self.here.host}:{self.here.ports['submission']}", "--tls", "--auth", "PLAIN", "--auth-user", self.here.user,
            "--auth-password", congthu.PASSWORD, "--from", self.here.user, "--to", ",".join(f"an@{domain.name}" for domain in domains))
        self.assertEqual(done.returncode, 0, done.stdout)

    def until(self, what, is_there):
        end = time.monotonic() + PATIENCE
        while not is_there():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.here.must('queue', 'destinations')}\n{self.here.log_tail()}")
            time.sleep(0.1)

    def outcomes(self, domains):
        """What became of the mail of each so far."""
        waiting = {row["name"]: row["answer"] for row in self.here.json("queue", "destinations") if row["failures"]}
        log = self.here.log_path.read_text(errors="replace")
        found = {}
        for domain in domains:
            if messages := self.world.sinks[domain.name].messages:
                (is_tls, recipient, _), = messages
                self.assertEqual(recipient, f"an@{domain.name}")
                worth = re.search(rf"handed over.*{re.escape(domain.host)}.* (verified|unverified)", log)
                found[domain.name] = CLEAR if not is_tls else worth and worth.group(1)
            elif domain.name in waiting:
                found[domain.name] = re.search(r"\b4\.\d+\.\d+\b", waiting[domain.name] or "").group()
        return found

    def assert_outcomes(self, domains):
        self.submit(domains)
        wanted = {domain.name: domain.outcome for domain in domains}
        self.until("each gets it, or it waits", lambda: all(self.outcomes(domains).get(name) for name in wanted))
        self.assertEqual(self.outcomes(domains), wanted)
        for domain in domains:
            if domain.stripped:
                self.assertGreater(self.world.strippers[domain.name].stripped, 0)

    def again(self, domain):
        """Tries once more; whether it has come."""
        sink = self.world.sinks[domain.name]
        before = sink.asked
        rows = json.loads(self.here.must("queue", "list", "--domain", domain.name, "--json"))
        for row in rows:
            self.here.must("queue", "retry", row["queue_id"])
        self.until("it is tried", lambda: not rows or sink.asked > before)
        self.until("it is over", lambda: self.here.sql("select count(*) from queue_leases") == "0")
        return bool(sink.messages)

    # ------------------------------------------------------------ what is kept back

    def test_keys(self):
        self.assert_outcomes(DANE)

    def test_policies(self):
        self.assert_outcomes(MTA_STS)

    def test_a_known_policy_holds_for_its_time(self):
        self.assert_outcomes(KNOWN)
        # Somebody takes the announcements away (RFC 8461 10.2), also from a server that has just begun.
        self.world.hush(HOLDS)
        self.world.hush(ENDED)
        self.world.announce(WITHDRAWN, "none", 2)
        self.world.names.publish()
        self.assertFalse(self.again(HOLDS))
        self.until("its time is over", lambda: self.again(ENDED))
        self.until("it is withdrawn", lambda: self.again(WITHDRAWN))
        self.here.stop()
        self.here.start()
        self.assertFalse(self.again(HOLDS))


if __name__ == "__main__":
    unittest.main()
