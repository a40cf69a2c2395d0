"""What operators rely on: /metrics, `congthu check`, completions and manual pages."""

import http.client
import json
import re
import subprocess
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


class Check(case.Case):
    @classmethod
    def setUpClass(cls):
        # Nobody answers there: a check does not depend on what the world's name servers say.
        silent = congthu.free_ports(1)[0]
        cls.server = congthu.Congthu(extra=f'[dns]\nservers = ["127.0.0.1:{silent}"]\n')
        cls.addClassCleanup(cls.server.close)

    def findings(self):
        done = self.server.run("check", "--json")
        self.assertIn(done.returncode, (0, 1), done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode, int(any(f["level"] == "error" for f in found)), found)
        for finding in found:
            self.assertEqual(set(finding), {"area", "level", "what", "mend"})
            self.assertNotIn("\n", finding["what"])
        return {area: [f for f in found if f["area"] == area] for area in {f["area"] for f in found}}

    def levels(self, found, area):
        return [f["level"] for f in found[area]]

    def test_before_the_first_start_beside_a_server_and_after_it(self):
        found = self.findings()
        self.assertEqual(self.levels(found, "database"), ["warning"])
        self.assertEqual(set(self.levels(found, "ports")), {"ok"})
        self.assertFalse((self.server.data_dir / "postgres").exists(), "a check made a database")
        self.server.start()
        self.server.add_domain("kiem-tra.test")
        for running in (True, False):
            found = self.findings()
            with self.subTest(running=running):
                self.assertEqual(set(self.levels(found, "database")), {"ok"}, found)
                self.assertEqual(set(self.levels(found, "ports")), {"ok"}, found)
                self.assertEqual(self.levels(found, "data_dir")[0], "ok", found)
                self.assertIn("error", self.levels(found, "dns"))
                self.assertIn("ok", self.levels(found, "tls"))
                self.assertEqual(self.levels(found, "scan"), ["warning", "warning"], found)
                self.assertEqual(set(self.levels(found, "jobs")), {"ok"}, found)
                self.assertIn("xulythurac@kiem-tra.test", found["contact"][0]["what"])
                self.assertIn("kiem-tra.test has no key", found["dkim"][0]["what"])
                self.assertIn("taken by a running congthu" if running else "is free", found["ports"][0]["what"])
            self.server.stop()
        self.assertEqual(self.server.postgres_pids(), [], "a check left Postgres running")

    def test_what_is_wrong_is_said_in_one_line_with_the_remedy(self):
        self.server.stop()
        taken, key = self.server.ports["smtp"], self.server.key.read_text()
        with congthu.socket.socket() as other:
            other.setsockopt(congthu.socket.SOL_SOCKET, congthu.socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", taken))
            other.listen()
            congthu.make_certificate(self.server.directory, stem="khac")
            self.server.key.write_text((self.server.directory / "khac.key").read_text())
            try:
                done = self.server.run("check")
            finally:
                self.server.key.write_text(key)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        lines = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
        self.assertTrue(any(str(taken) in line and "another program" in line for line in lines), lines)
        self.assertTrue(any("is not the key of" in line for line in lines), lines)


class CommandLine(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = congthu.Congthu()
        cls.addClassCleanup(cls.server.close)

    def test_completions_and_manual_pages(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("mailbox", self.server.must("completions", shell))
        script = self.server.directory / "completions.bash"
        script.write_text(self.server.must("completions", "bash"))
        words = ["bash", "-c", f'. {script}; COMP_WORDS=(congthu mail); COMP_CWORD=1; _congthu congthu mail congthu; echo "${{COMPREPLY[@]}}"']
        self.assertEqual(subprocess.run(words, capture_output=True, text=True, timeout=30).stdout.strip(), "mailbox")
        pages = self.server.directory / "man"
        pages.mkdir()
        self.server.must("man", "--dir", str(pages))
        self.assertTrue((pages / "congthu-mailbox-add.1").is_file())
        self.assertIn(".TH congthu", self.server.must("man"))

    def test_domains_and_aliases_come_and_go(self):
        self.server.add_domain("nham.test")
        self.assertIn("nham.test", self.server.must("domain", "delete", "nham.test"))
        self.server.add_domain("dung.test")
        user = self.server.add_mailbox("a@dung.test")
        self.server.must("alias", "add", "b@dung.test", user)
        listed = json.loads(self.server.must("alias", "list", "--json"))
        self.assertEqual(listed, [{"alias": "b@dung.test", "mailbox": user, "until": None}])
        self.assertIn("1 mailbox\n", self.server.must("domain", "list"))
        self.server.must("alias", "delete", "b@dung.test")
        self.assertEqual(json.loads(self.server.must("alias", "list", "--domain", "dung.test", "--json")), [])
        for arguments, says in [
            (["alias", "delete", user], "no alias"),
            (["alias", "add", "b@dung.test", user], "taken"),
            (["domain", "delete", "dung.test"], "has addresses"),
            (["domain", "delete", "nham.test"], "no domain"),
            (["mailbox", "list", "--domain", "nham.test"], "no domain"),
        ]:
            done = self.server.run(*arguments)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn(says, done.stderr)

    def test_a_missing_certificate_is_found_before_the_start(self):
        self.server.must("config", "check")
        text = self.server.config.read_text()
        self.server.config.write_text(text.replace("tls.crt", "khong-co.crt"))
        done = self.server.run("config", "check")
        self.server.config.write_text(text)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("khong-co.crt", done.stderr)


if __name__ == "__main__":
    unittest.main()
