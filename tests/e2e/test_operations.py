"""What operators rely on: /metrics, `congthu check`, completions and manual pages."""

import http.client
import os
import pathlib
import re
import unittest

import case
import congthu
import wire


class Metrics(case.Case):
    def page(self, headers=None):
        connection = http.client.HTTPConnection(self.server.host, self.server.ports["http"], timeout=10)
        try:
            connection.request("GET", "/metrics", headers=headers or {})
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type"), response.read().decode()
        finally:
            connection.close()

    def value(self, name, **labels):
        """The sum of a metric's values that have these labels."""
        _, _, text = self.page()
        total = 0.0
        for line in text.splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name:
                have = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                if labels.items() <= have.items():
                    total += float(found[3])
        return total

    def test_what_happens_is_counted(self):
        user = self.mailbox()
        accepted = self.value("congthu_messages_accepted_total", door="smtp")
        delivered = self.value("congthu_deliver_seconds_count", door="smtp")
        unknown = self.value("congthu_recipients_refused_total", door="smtp", reason="unknown")
        logins = self.value("congthu_logins_total", door="imap", result="ok")
        denied = self.value("congthu_logins_total", door="imap", result="denied")
        selects = self.value("congthu_imap_commands_total", command="SELECT", result="ok")
        self.deliver(self.message(), user)
        smtp = self.server.smtp()
        smtp.hello()
        smtp.envelope("a@other.test", ["khong-co-ai@thu.test"])
        smtp.quit()
        imap = self.server.imap(user)
        imap.select("INBOX")
        other = wire.Imap("127.0.0.1", self.server.ports["imaps"])
        self.assertEqual(other.command("LOGIN", user, "sai").status, "NO")
        other.close()
        self.assertGreaterEqual(self.value("congthu_connections_open", door="imap"), 1)
        imap.logout()
        self.assertEqual(self.value("congthu_messages_accepted_total", door="smtp"), accepted + 1)
        self.assertEqual(self.value("congthu_deliver_seconds_count", door="smtp"), delivered + 1)
        self.assertEqual(self.value("congthu_recipients_refused_total", door="smtp", reason="unknown"), unknown + 1)
        self.assertEqual(self.value("congthu_logins_total", door="imap", result="ok"), logins + 1)
        self.assertEqual(self.value("congthu_logins_total", door="imap", result="denied"), denied + 1)
        self.assertEqual(self.value("congthu_imap_commands_total", command="SELECT", result="ok"), selects + 1)
        self.assertGreater(self.value("congthu_certificate_expiry_timestamp_seconds"), 1.7e9)
        self.assertEqual(self.value("congthu_database_connections_max", pool="main"), 32)

    def test_every_metric_on_the_page_is_documented_and_names_nobody(self):
        user = self.mailbox()
        self.deliver(self.message(), user)
        status, kind, text = self.page()
        self.assertEqual(status, 200)
        self.assertTrue(kind.startswith("text/plain; version=0.0.4"), kind)
        documented = (congthu.REPO / "docs/operations/metrics.md").read_text()
        names = re.findall(r"^# TYPE (\w+)", text, re.M)
        self.assertGreater(len(names), 15)
        for name in names:
            self.assertIn(f"`{name}`", documented)
        for secret in (user, user.partition("@")[0], "127.0.0.1"):
            self.assertNotIn(secret, text)

    def test_a_proxy_gets_nothing(self):
        for header in ("X-Forwarded-For", "Forwarded", "Via"):
            status, _, text = self.page({header: "192.0.2.1"})
            self.assertEqual((status, text), (404, ""), header)


if __name__ == "__main__":
    unittest.main()
