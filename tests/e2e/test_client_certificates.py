"""Client certificates: who has to show one is turned away without, who may is let in, and the name is in the evidence."""

import subprocess
import time
import unittest

import authority
import case
import congthu

LISTENERS = {**congthu.LISTENERS, "asked": ("imap", "implicit"), "required": ("imap", "implicit"),
             "sending": ("submission", "starttls"), "page": ("http", "implicit")}


def client(directory, name, root=None):
    """A certificate of that name; by `root` (certificate, key), or by itself."""
    certificate, key, request = (directory / f"{name}.{kind}" for kind in ("crt", "key", "csr"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
    if root is None:
        authority.openssl("req", "-x509", *curve, "-days", "2", "-subj", f"/O=Tinh/CN={name}", "-out", certificate)
        return certificate, key
    authority.openssl("req", *curve, "-subj", f"/O=So Noi vu/CN={name}", "-out", request)
    extensions = directory / f"{name}.ext"
    extensions.write_text("extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n")
    authority.openssl("x509", "-req", "-in", request, "-CA", root[0], "-CAkey", root[1], "-set_serial", "0x0a1b",
                      "-days", "2", "-extfile", extensions, "-out", certificate)
    return certificate, key


class ClientCertificates(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = congthu.Congthu(listeners=LISTENERS)
        cls.addClassCleanup(cls.server.close)
        directory = cls.server.directory
        cls.root = client(directory, "goc")
        cls.good = client(directory, "can-bo", cls.root)
        cls.other_root = client(directory, "goc-khac")
        cls.stranger = client(directory, "la", cls.other_root)
        cls.root[0].chmod(0o644)
        text = cls.server.config.read_text()
        for name, rule in (("asked", "false"), ("required", "true"), ("sending", "true"), ("page", "true")):
            bind = f'bind = "127.0.0.1:{cls.server.ports[name]}"\n'
            assert bind in text
            text = text.replace(bind, bind + f'client_certificates = {{ ca = "goc.crt", require = {rule} }}\n')
        cls.server.config.write_text(text)
        cls.server.start()
        cls.server.add_domain(case.DOMAIN)
        cls.user = cls.server.add_mailbox(f"mot@{case.DOMAIN}")

    def talk(self, port, certificate, lines, *more):
        """What openssl's client is told; it says `lines` when the handshake is over."""
        shown = ["-cert", str(certificate[0]), "-key", str(certificate[1])] if certificate else []
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.server.ports[port]}", "-quiet", *more, *shown],
            input="".join(line + "\r\n" for line in lines), capture_output=True, text=True, timeout=30)
        return done.stdout

    def log_in(self, port, certificate):
        return self.talk(port, certificate, [f"a LOGIN {self.user} {congthu.PASSWORD}", "b LOGOUT"])

    def test_who_has_to_show_one_is_turned_away_without(self):
        self.assertIn("a OK", self.log_in("required", self.good))
        for wrong in (None, self.stranger):
            self.assertNotIn("* OK", self.log_in("required", wrong))
        hello = ["EHLO a.test", "QUIT"]
        self.assertIn("AUTH PLAIN", self.talk("sending", self.good, hello, "-starttls", "smtp"))
        self.assertNotIn("AUTH PLAIN", self.talk("sending", None, hello, "-starttls", "smtp"))
        get = ["GET /mat-khau HTTP/1.1", "Host: a", "Connection: close", ""]
        self.assertIn("200 OK", self.talk("page", self.good, get, "-ign_eof"))
        self.assertNotIn("HTTP/1.1", self.talk("page", None, get, "-ign_eof"))

    def test_who_may_show_one_may_leave_it_and_shows_no_wrong_one(self):
        for certificate in (None, self.good):
            self.assertIn("a OK", self.log_in("asked", certificate))
        self.assertNotIn("* OK", self.log_in("asked", self.stranger))
        # Where nobody is asked nothing is shown.
        self.assertIn("a OK", self.log_in("imaps", self.stranger))

    def test_its_name_is_in_the_evidence_with_the_log_in_it_came_with(self):
        self.assertIn("a OK", self.log_in("required", self.good))
        row = self.server.sql(
            "select c.status, l.kind from events c join events l using (trace) "
            "where c.kind = 'client_certificate' and l.kind = 'login' order by c.event_id desc limit 1")
        self.assertEqual(row, "imap: O=So Noi vu, CN=can-bo (0a1b)|login")
        self.assertIn('a client has shown its certificate name="O=So Noi vu, CN=can-bo (0a1b)"',
                      self.server.log_path.read_text())

    def test_who_vouches_for_clients_is_read_again(self):
        before = self.root[0].read_text()
        self.addCleanup(self.read_again, before)
        self.read_again(self.other_root[0].read_text())
        self.assertIn("a OK", self.log_in("required", self.stranger))
        self.assertNotIn("* OK", self.log_in("required", self.good))
        self.assertIn("AUTH PLAIN", self.talk("sending", self.stranger, ["EHLO a.test", "QUIT"], "-starttls", "smtp"))
        get = ["GET /mat-khau HTTP/1.1", "Host: a", "Connection: close", ""]
        self.assertIn("200 OK", self.talk("page", self.stranger, get, "-ign_eof"))

    def read_again(self, authorities):
        def count():
            return self.server.log_path.read_text().count("who vouches for clients was read again")

        self.root[0].write_text(authorities)
        before, deadline = count(), time.monotonic() + 30
        self.server.reload()
        while count() == before:
            self.assertLess(time.monotonic(), deadline, self.server.log_tail())
            time.sleep(0.05)

    def test_a_file_that_vouches_for_nobody_is_refused_at_the_start(self):
        server = congthu.Congthu()
        self.addCleanup(server.close)
        bind = f'bind = "127.0.0.1:{server.ports["imaps"]}"\n'
        nobody = server.directory / "khong.pem"
        nobody.write_text("khong co gi\n")
        nobody.chmod(0o644)
        server.config.write_text(
            server.config.read_text().replace(bind, bind + f'client_certificates = {{ ca = "{nobody}" }}\n'))
        self.assertNotEqual(server.spawn().wait(60), 0)
        self.assertIn("put there who vouches for clients", server.log_path.read_text())


if __name__ == "__main__":
    unittest.main()
