"""A one-time password, the page where it is changed, and what mail programs are told until then."""

import base64
import json
import ssl
import unittest
import urllib.error
import urllib.parse
import urllib.request

import case
import wire

NEW = "Rung-Tram-Xanh-83"


class Passwords(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.page = f"https://127.0.0.1:{cls.server.ports['https']}/mat-khau"
        cls.context = ssl.create_default_context(cafile=str(cls.server.certificate))

    def one_time(self, name):
        """A mailbox as an administrator makes it: with a password that is shown once."""
        user = f"{name}@{case.DOMAIN}"
        made = json.loads(self.server.must("mailbox", "add", user, "--name", "Người Mới", "--json"))
        return user, made["one_time_password"]

    def post(self, headers=None, **fields):
        """(status, page)"""
        names = {"address": "dia-chi", "present": "mat-khau", "new": "mat-khau-moi", "again": "nhap-lai"}
        body = urllib.parse.urlencode({names[key]: value for key, value in fields.items()}).encode()
        request = urllib.request.Request(self.page, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_a_new_user_starts_with_the_page(self):
        user, once = self.one_time("nguoi-moi")
        imap = wire.Imap("127.0.0.1", self.server.ports["imaps"])
        refused = imap.command("LOGIN", user, once)
        self.assertEqual(refused.status, "NO")
        self.assertIn("/mat-khau", refused.text)
        smtp = self.server.smtp("submissions")
        smtp.hello()
        secret = base64.b64encode(f"\0{user}\0{once}".encode()).decode()
        reply = smtp.ask(f"AUTH PLAIN {secret}")
        self.assertEqual(reply.code, 535)
        self.assertIn("/mat-khau", str(reply))
        status, page = self.post(address=user, present=once, new="ngan", again="ngan")
        self.assertEqual(status, 422)
        for rule in ("ít nhất 8 ký tự", "chữ in hoa", "chữ số", "ký tự đặc biệt"):
            self.assertIn(rule, page)
        status, page = self.post(address=user, present=once, new=NEW, again=NEW + "x")
        self.assertEqual(status, 422)
        status, page = self.post(address=user, present="sai", new=NEW, again=NEW)
        self.assertEqual(status, 403)
        status, page = self.post(address=user, present=once, new=NEW, again=NEW)
        self.assertEqual(status, 200, page)
        self.server.imap(user, NEW).logout()
        self.assertEqual(wire.Imap("127.0.0.1", self.server.ports["imaps"]).command("LOGIN", user, once).status, "NO")

    def test_the_page_works_without_a_browser_and_refuses_other_pages(self):
        curl = self.tool("curl")
        shown = self.execute(curl, "-s", "-i", "--cacert", self.server.certificate, self.page).stdout
        head, _, body = shown.partition("\n\n")
        self.assertRegex(head, r"(?i)content-security-policy: default-src 'none'; style-src 'self'; form-action 'self'")
        self.assertRegex(head, r"(?i)cache-control: no-store")
        self.assertNotIn("script", body)
        self.assertIn("Đổi mật khẩu", body)
        self.assertEqual(self.post({"Origin": "https://xau.example"}, address="a")[0], 403)
        self.assertEqual(self.post({"Sec-Fetch-Site": "cross-site"}, address="a")[0], 403)

    def test_in_the_clear_there_is_no_page(self):
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{self.server.ports['http']}/mat-khau", timeout=30)
        self.assertEqual(refused.exception.code, 404)


if __name__ == "__main__":
    unittest.main()
