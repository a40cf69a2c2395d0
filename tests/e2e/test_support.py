"""Trouble reported to the support address: a case, an answer by the command line, and the reply to it. Mail of an office."""

import json
import unittest

import case
import congthu


class Support(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.domain = case.DOMAIN
        cls.support = cls.server.add_mailbox(f"hotro@{cls.domain}", kind="service")

    def write(self, user, *arguments):
        done = self.execute(
            self.tool("swaks"), "--server", f"127.0.0.1:{self.server.ports['submission']}", "--tls", "--to", self.support,
            "--from", user, "--auth", "PLAIN", "--auth-user", user, "--auth-password", congthu.PASSWORD, *arguments)
        self.assertEqual(done.returncode, 0, done.stdout)

    def take(self):
        self.server.must("job", "run", "support-intake")

    def case_of(self, user):
        listed = json.loads(self.server.must("case", "list", self.domain, "--all", "--json"))
        return next((one for one in listed if one["from"] == user), None)

    def test_a_mail_becomes_a_case_that_goes_on_by_mail(self):
        user = self.mailbox()
        self.write(user, "--header", "Subject: Khong gui duoc thu")
        self.take()
        self.take()
        opened = self.case_of(user)
        self.assertEqual((opened["state"], opened["subject"], opened["outside"]), ("new", "Khong gui duoc thu", False))
        number = str(opened["number"])
        receipts = self.stored(user)
        self.assertEqual(len(receipts), 1)
        self.assertIn(b"\r\nAuto-Submitted: auto-replied\r\n", receipts[0])
        self.server.must("case", "assign", number, "Trần Thị B")
        answered = json.loads(self.server.must("case", "reply", number, "-", "--json", stdin="Xin thử lại.\n"))
        self.assertEqual(answered["state"], "answered")
        answer = self.stored(user)[1]
        message_id = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"message-id:"))
        message_id = message_id.partition(b":")[2].strip().decode()
        self.server.must("case", "close", number)
        self.write(user, "--header", "Subject: Re: van loi", "--header", f"In-Reply-To: {message_id}")
        self.take()
        shown = json.loads(self.server.must("case", "show", number, "--json"))
        self.assertEqual(shown["state"], "in-work")
        self.assertEqual([mail["direction"] for mail in shown["messages"]].count("in"), 2)
        self.assertEqual(
            [act["act"] for act in shown["events"]], ["open", "assign", "answer", "close", "reply"])
        self.assertEqual(len(self.stored(user)), 2, "a reply is not acknowledged")
        self.assertIn(number, self.server.must("case", "list", self.domain))

    def test_mail_of_an_office_is_handled_by_those_with_rights_to_it(self):
        office = self.server.add_mailbox(f"vanthu-xl@{self.domain}", kind="organisation")
        clerk, reader, stranger = self.mailbox(), self.mailbox(), self.mailbox()
        for who, rights in ((clerk, "read,write,manage"), (reader, "read")):
            self.server.must("delegate", "grant", office, who, "--rights", rights, "--document", "15/QĐ")
        self.deliver(self.message(), office)
        listed = json.loads(self.server.must("handling", "list", office, "--by", reader, "--json"))
        self.assertEqual([(one["state"], one["folder"], one["uid"]) for one in listed], [("new", "INBOX", 1)])
        for who in (reader, stranger):
            self.assertNotEqual(self.server.run("handling", "report", office, "1", "--by", who).returncode, 0)
        self.server.must("handling", "report", office, "1", "--by", clerk)
        self.server.must("handling", "assign", office, "1", "--to", reader, "--due", "2020-01-02", "--by", clerk)
        late = json.loads(self.server.must("handling", "list", office, "--overdue", "--json"))
        self.assertEqual([(one["assignee"], one["due_on"]) for one in late], [(reader, "2020-01-02")])
        self.server.must("job", "run", "handling-reminders")
        self.server.must("job", "run", "handling-reminders")
        self.assertEqual(len(self.stored(reader)), 1, "reminded once")
        self.server.must("handling", "answer", office, "1", "--by", clerk)
        self.server.must("handling", "close", office, "1", "--by", clerk)
        self.assertEqual(json.loads(self.server.must("handling", "list", office, "--overdue", "--json")), [])


if __name__ == "__main__":
    unittest.main()
