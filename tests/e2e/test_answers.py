"""What the command line answers to whoever runs a province with it, where only the real program shows it."""

import datetime
import json
import unittest

import case

DOMAIN = "tra-loi.test"


class Answers(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.add_domain(DOMAIN)
        cls.server.must("unit", "add", DOMAIN, "--name", "Sở Nội vụ", "--kind", "so", "--code", "sonoivu")

    def refuse(self, code, *arguments):
        """The lines on standard error."""
        done = self.server.run(*arguments)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stderr.strip().splitlines()

    def of_unit(self, name, kind="person"):
        address = f"{name}@{DOMAIN}"
        self.server.must("mailbox", "add", address, "--name", "Nguyễn Văn An", "--class", kind, "--unit", "sonoivu",
                         "--another-person")
        return address

    def test_a_leave_is_shown_refused_twice_and_taken_back(self):
        user = self.mailbox()
        (wrong,) = self.refuse(2, "mailbox", "leave", user, "--from", "01/12/2026", "--to", "2026-12-10", "--reason", "Đi học")
        self.assertIn("write a day like 2026-11-01", wrong)
        first = datetime.date.today() + datetime.timedelta(days=3)
        last = first + datetime.timedelta(days=9)
        leave = ["mailbox", "leave", user, "--from", str(first), "--to", str(last), "--reason", "Đi học"]
        self.assertEqual(json.loads(self.server.must(*leave, "--json"))["reason"], "Đi học")
        (refused,) = self.refuse(1, *leave)
        self.assertIn(f"a leave from {first} to {last} is noted already", refused)
        self.assertIn(f"leave     {first} to {last}: Đi học\n", self.server.must("mailbox", "show", user))
        (shown,) = json.loads(self.server.must("mailbox", "show", user, "--json"))["leaves"]
        self.assertEqual((shown["from"], shown["reason"]), (str(first), "Đi học"))
        self.server.must("mailbox", "cancel-leave", user, "--from", str(first), "--reason", "ghi nhầm")
        self.assertNotIn("leave ", self.server.must("mailbox", "show", user))
        self.assertIn("\ttaken back ", self.server.must("mailbox", "leave", user))
        self.server.must(*leave)

    def test_a_handover_ends_with_a_password_its_term_and_its_page(self):
        office = self.of_unit("vanthu", "organisation")
        self.server.must("handover", "start", office, "--from", "A", "--to", "B", "--document", "BB 1",
                         "--delegate", self.of_unit("lan"), "--rights", "read,write")
        text = self.server.must("handover", "finish", office)
        self.assertIn(f"Ủy quyền mới: lan@{DOMAIN} (Nguyễn Văn An): đọc, ghi\n", text)
        self.assertRegex(text, r"\npassword, shown only now: \S+ \(good for \d+ days?\)\nits new holder changes it at https://\S+/mat-khau\n")

    def test_each_mistake_of_an_answer_has_its_line(self):
        self.server.must("unit", "add", DOMAIN, "--name", "Sở Y tế", "--kind", "so", "--code", "soyte")
        self.server.must("mailbox", "add", f"hoa@{DOMAIN}", "--name", "Trần Thị Hoa", "--unit", "soyte")
        number = json.loads(self.server.must("review", "open", DOMAIN, "soyte", "--json"))["number"]
        lines = self.refuse(1, "review", "answer", str(number), "--confirm", f"ai@{DOMAIN}", "--change", f"hoa@{DOMAIN}")
        self.assertEqual(lines, [
            f'congthu: row 1, address: "ai@{DOMAIN}" is no mailbox of the unit',
            "congthu: row 2, remark: say what is to be changed",
            "congthu: 2 mistakes: nothing was done",
        ])
        self.assertIn("\t1 mailbox\t", self.server.must("review", "list", DOMAIN))
        self.assertRegex(self.server.must("unit", "list", DOMAIN), r"Sở Y tế\t1 person\t1 mailbox\n")

    def test_a_request_says_who_asked(self):
        made = json.loads(self.server.must(
            "request", "add", DOMAIN, "--kind", "create", "--unit", "sonoivu", "--subject", "Cấp hộp thư", "--by", "Trần Văn Bình",
            "--document", "15/CV-SNV", "--json"))["number"]
        self.assertRegex(self.server.must("request", "show", str(made)),
                         r"\nasked for by Trần Văn Bình, received \S+ \S+ \+07, document 15/CV-SNV\n")

    def test_a_list_says_what_it_came_to(self):
        path = self.server.directory / "ba-nguoi.csv"
        path.write_text(f"address,name\nba@{DOMAIN},Lê Văn Ba\nbon@{DOMAIN},Lê Văn Bốn\n", encoding="utf-8")
        path.chmod(0o644)
        sheet = "mat-khau.csv"
        text = self.server.must("mailbox", "add-many", str(path), "--passwords", sheet)
        self.assertEqual(text, f"ba@{DOMAIN}\nbon@{DOMAIN}\n2 mailboxes made; one-time passwords are in {self.server.directory / sheet}\n")


if __name__ == "__main__":
    unittest.main()
