"""A stranger writes in the name of a province: the other province refuses it, tells of it a day later by a DMARC report, and the administrator
of the first one sees who it was."""

import json
import time
import unittest

import case
import congthu
import internet

PATIENCE = 90  # seconds: what is counted is written every half minute
STRANGER = internet.address_of(4)
FORGED = 2  # messages


class DmarcReports(case.Case):
    @classmethod
    def setUpClass(cls):
        names, cls.here, cls.there = internet.two_provinces(cls)
        cls.reports = cls.here.add_mailbox("dmarc-reports@gui.test", kind="service")
        names.put("_dmarc.gui.test", "TXT", f"v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:{cls.reports}")
        names.publish()
        for province in (cls.here, cls.there):
            province.must("dkim", "rotate", province.domain)

    # ------------------------------------------------------------ steps

    def swaks(self, server, port, *arguments, to):
        return self.execute(self.tool("swaks"), "--server", f"{server}:{port}", "--from", self.here.user, "--to", to, *arguments)

    def until(self, what, is_there):
        end = time.monotonic() + PATIENCE
        while not is_there():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.there.must('queue', 'destinations')}\n{self.there.log_tail()}")
            time.sleep(0.2)

    def counted(self):
        """Messages in the name of the first province that are written already."""
        return int(self.there.sql("select coalesce(sum(messages), 0) from dmarc_counts where domain = 'gui.test'"))

    def yesterday(self):
        """What was counted was so the day before yesterday."""
        self.there.sql("insert into dmarc_days (day, domain, published, rows) select day - 2, domain, published, rows from dmarc_days;"
                       "update dmarc_counts set day = day - 2; delete from dmarc_days where day > current_date - 2")

    def shown(self):
        """By source: messages, DKIM, SPF, what was done, and how many tell of it."""
        (domain,) = json.loads(self.here.must("dmarc", "report", "--domain", "gui.test", "--json"))
        return {row["source"]: [row[key] for key in ("messages", "header_from", "dkim", "spf", "disposition", "systems")] for row in domain["sources"]}

    # ------------------------------------------------------------ the journey

    def test_whoever_is_written_in_the_name_of_hears_of_it(self):
        done = self.swaks(self.here.host, self.here.ports["submission"], "--tls", "--auth", "PLAIN", "--auth-user", self.here.user,
                          "--auth-password", congthu.PASSWORD, to=self.there.user)
        self.assertEqual(done.returncode, 0, done.stdout)
        for _ in range(FORGED):
            done = self.swaks(self.there.host, 25, "--local-interface", STRANGER, to=self.there.user)
            self.assertRegex(done.stdout, r"(?m)^<\*\* 550 5\.7\.26")
        self.until("it is counted", lambda: self.counted() == FORGED + 1)
        self.assertEqual(len(self.stored(self.there.user, server=self.there)), 1)
        self.yesterday()
        self.there.must("job", "run", "dmarc-reports")
        self.until("the report comes", lambda: self.stored(self.reports, server=self.here))
        (report,) = self.stored(self.reports, server=self.here)
        self.assertIn(b"dmarc=pass (p=reject) header.from=nhan.test", report.partition(b"\r\n\r\n")[0])
        self.assertEqual(self.shown(), {}, "nobody has read it yet")
        for _ in range(2):  # once more makes no difference
            self.here.must("job", "run", "dmarc-intake")
            self.there.must("job", "run", "dmarc-reports")
            self.assertEqual(self.shown(), {
                STRANGER: [FORGED, "gui.test", "fail", "fail", "reject", 1],
                self.here.host: [1, "gui.test", "pass", "pass", "none", 1]})
        self.assertEqual(self.there.sql("select count(*) from dmarc_days where ended_at is null"), "0")
        self.assertEqual(len(self.stored(self.reports, server=self.here)), 1)


if __name__ == "__main__":
    unittest.main()
