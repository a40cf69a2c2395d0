"""Log-ins are kept with their country by Debian's tables (tor-geoipdb); one from where a mailbox is not used is told, or refused."""

import email
import email.policy
import json
import socket
import struct
import time
import unittest

import case
import congthu
import wire

BALANCER = "127.0.0.9"
STRICT = "chat.test"
TABLES = ["/usr/share/tor/geoip", "/usr/share/tor/geoip6"]
# Viettel's, RIPE's own, and one of a province's.
VIETNAM, VIETNAM_V6, NETHERLANDS, OWN = "203.113.131.1", "2405:4800::1", "193.0.6.139", "14.160.7.7"
PATIENCE = 10.0

CONFIG = """
[[listener]]
protocol = "imap"
bind = "127.0.0.1:{imap}"
tls = "implicit"
proxies = ["{balancer}/32"]
[networks]
countries = {tables}
own = ["{own}/32"]
"""


def proxied(client, port):
    """The header of the PROXY protocol, version 2, of a connection from there."""
    v6 = ":" in client
    family, here = (socket.AF_INET6, "::1") if v6 else (socket.AF_INET, "127.0.0.1")
    block = socket.inet_pton(family, client) + socket.inet_pton(family, here) + struct.pack("!HH", 40_000, port)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x21 if v6 else 0x11]) + struct.pack("!H", len(block)) + block


class Countries(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.port, = congthu.free_ports(1)
        cls.server = congthu.Congthu(exempt=())
        cls.addClassCleanup(cls.server.close)
        cls.ours = cls.server.directory / "ours"
        cls.ours.write_text("# our own lines\n198.18.0.0,198.18.255.255,VN\n")
        cls.server.extra = CONFIG.format(imap=cls.port, balancer=BALANCER, tables=json.dumps(TABLES + [str(cls.ours)]), own=OWN)
        cls.server.write_config()
        cls.server.start()
        for domain in (case.DOMAIN, STRICT):
            cls.server.add_domain(domain)
        cls.numbers = iter(range(100))

    def setUp(self):
        self.new_mailbox(case.DOMAIN)

    def new_mailbox(self, domain):
        self.an = f"an{next(self.numbers)}@{domain}"
        self.server.add_mailbox(self.an)

    def log_in(self, client, password=congthu.PASSWORD):
        imap = wire.Imap("127.0.0.1", self.port, source=BALANCER, first=proxied(client, self.port))
        imap.login(self.an, password)
        return imap

    def letters(self):
        """Subjects and words, as their reader sees them."""
        found = [email.message_from_bytes(octets, policy=email.policy.default) for octets in self.stored(self.an)]
        return [" ".join(f"{letter['Subject']} {letter.get_content()}".split()) for letter in found]

    def wait_for_letter(self, words):
        """Whom a refused log-in concerns is told behind the answer."""
        deadline = time.monotonic() + PATIENCE
        while not any(words in letter for letter in self.letters()):
            self.assertLess(time.monotonic(), deadline, f"a letter came: {words}")
            time.sleep(0.1)

    def countries(self):
        said = json.loads(self.server.must("--json", "trace", "logins", self.an))
        return [(login["remote"], login["country"], login["outcome"]) for login in reversed(said["logins"])]

    def test_a_log_in_from_abroad_is_told_once_and_is_on_record(self):
        for client in (VIETNAM, VIETNAM_V6, OWN, NETHERLANDS, NETHERLANDS):
            self.log_in(client).stream.close()
        with self.assertRaises(wire.Refused):
            self.log_in(NETHERLANDS, "sai")
        letter, = self.letters()
        for words in (f"Hộp thư {self.an} được đăng nhập từ Hà Lan", f"Dịch vụ: đọc thư (IMAP) Địa chỉ IP: {NETHERLANDS}",
                      "the mailbox was logged in to from Netherlands"):
            self.assertIn(words, letter)
        self.assertEqual(self.countries()[:6], [
            (VIETNAM, "VN", "let_in"), (VIETNAM_V6, "VN", "let_in"), (OWN, None, "let_in"), (NETHERLANDS, "NL", "let_in"),
            (NETHERLANDS, "NL", "let_in"), (NETHERLANDS, "NL", "refused")])

    def test_policy_may_let_in_nobody_from_abroad(self):
        self.server.must("policy", "set", STRICT, "login.new_country=refuse", "--reason", "CV 1")
        self.new_mailbox(STRICT)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.log_in(NETHERLANDS).stream.close()
            except wire.Refused as refused:
                self.assertIn("[AUTHENTICATIONFAILED] Wrong address or password", str(refused), "a guesser learns nothing")
                break
            self.assertLess(time.monotonic(), deadline, "the server heard of the new policy")
            time.sleep(0.1)
        self.log_in(VIETNAM).stream.close()
        self.wait_for_letter(f"Hộp thư {self.an} bị từ chối đăng nhập từ Hà Lan")
        said = json.loads(self.server.must("--json", "trace", "logins", self.an))["logins"]
        self.assertIn("log-ins from this country are not allowed", json.dumps(said))

    def test_tables_are_read_again_and_bad_ones_leave_the_old(self):
        self.log_in("198.18.0.1").stream.close()
        for text, country in (("198.18.0.0,198.18.255.255,LA\n", "LA"), ("198.18.0.0 198.18.255.255 KH\n", "LA")):
            self.ours.write_text(text)
            said = self.server.log_path.read_text()
            self.server.reload()
            deadline = time.monotonic() + PATIENCE
            while "tables of countries" not in self.server.log_path.read_text()[len(said):]:
                self.assertLess(time.monotonic(), deadline, "the server read the tables again")
                time.sleep(0.05)
            self.log_in("198.18.0.1").stream.close()
            self.assertEqual(self.countries()[-1], ("198.18.0.1", country, "let_in"))
        self.assertIn("line 1 is not like 16777216,16777471,AU", self.server.log_path.read_text())

    def test_a_program_that_hands_the_password_to_its_maker_is_told_of_and_refused(self):
        microsoft = 'ID ("name" "Microsoft Office 365" "version" "15.20.8769.14")'
        for early in (True, False):
            imap = wire.Imap("127.0.0.1", self.port, source=BALANCER, first=proxied(OWN, self.port))
            if early:
                imap.must(microsoft)
            imap.login(self.an, congthu.PASSWORD)
            imap.must(microsoft)
            imap.stream.close()
        letter, = self.letters()
        self.assertIn(f"Mật khẩu hộp thư {self.an} đã được giao cho máy chủ của Microsoft", letter)
        self.new_mailbox(STRICT)
        self.server.must("policy", "set", STRICT, "login.clouds=refuse", "--reason", "CV 3")
        deadline = time.monotonic() + PATIENCE
        while True:
            imap = wire.Imap("127.0.0.1", self.port, source=BALANCER, first=proxied(OWN, self.port))
            imap.must(microsoft)
            try:
                imap.login(self.an, congthu.PASSWORD)
            except wire.Refused as refused:
                self.assertIn("[AUTHENTICATIONFAILED] Wrong address or password", str(refused))
                break
            self.assertLess(time.monotonic(), deadline, "the server heard of the new policy")
            time.sleep(0.1)
        late = wire.Imap("127.0.0.1", self.port, source=BALANCER, first=proxied(OWN, self.port))
        late.login(self.an, congthu.PASSWORD)
        with self.assertRaises(wire.Lost):
            late.must(microsoft)
            late.must("NOOP")
        self.wait_for_letter("Theo quy định, lần đăng nhập đó đã bị từ chối.")

    def test_a_table_that_is_missing_is_said_at_the_start_with_its_package(self):
        other = congthu.Congthu()
        self.addCleanup(other.close)
        other.extra = f'[networks]\ncountries = ["{other.directory}/geoip"]\n'
        other.write_config()
        for command in ("serve", "check"):
            said = other.run(command)
            self.assertNotEqual(said.returncode, 0)
            self.assertIn("apt-get install tor-geoipdb", said.stdout + said.stderr)


if __name__ == "__main__":
    unittest.main()
