"""What rules do to mail that swaks brings, from strangers and from users: filed, flagged, answered, passed on, refused; and whose rules
go first.
"""

import datetime
import time
import unittest

import case
import congthu
import internet
import mutf7
import sieve
import sinks
import wire

# Of one server: from the second mail may go on to the outside, in the last people have no rules of their own.
PROVINCE, OPEN, LEVELS, NONE = "gui.test", "mo.test", "cap.test", "khong.test"
POOL = 40  # mailboxes
PATIENCE = 60  # seconds
PROVINCE_TIME = datetime.timezone(datetime.timedelta(hours=7))
STRANGER = internet.address_of(4)
KNOWN, NAMED = "lan@ro.test", "lan@mo-ho.test"  # shown to have written what has his name, and only named
AWAY = "Tôi nghỉ phép đến hết ngày 30/11.\r\nViệc gấp xin gọi 0296 3852 000."
VACATION = f'require "vacation";\r\nvacation :days 7 :subject "Trả lời: nghỉ phép" "{AWAY}";\r\n'
FILING = """require ["fileinto", "mailbox", "copy", "imap4flags"];
if header :contains "subject" "Giấy mời" { fileinto "Giấy mời"; }
elsif header :contains "subject" "Báo cáo" { fileinto :create "Báo cáo/Quý IV"; }
elsif header :contains "subject" "Khẩn" { addflag ["\\\\Flagged", "\\\\Seen", "$Khan"]; }
elsif header :contains "subject" "Quảng cáo" { discard; }
elsif header :contains "subject" "Hợp đồng" { fileinto :copy :create "Hợp đồng"; fileinto :create :flags "\\\\Seen" "Lưu"; }
"""




class Rules(case.Case):
    @classmethod
    def setUpClass(cls):
        network = internet.Network()
        cls.addClassCleanup(network.close)
        authority, names = internet.Authority(), internet.Names()
        cls.addClassCleanup(authority.close)
        cls.addClassCleanup(names.close)
        cls.server = internet.Province(1, PROVINCE, authority, [])
        cls.addClassCleanup(cls.server.close)
        cls.server.prepare()
        cls.server.publish(names)
        for domain, ends in (("ro.test", f"ip4:{STRANGER} -all"), ("mo-ho.test", f"ip4:{internet.address_of(3)} ~all")):
            names.put(domain, "MX", f"10 mail.{domain}.")
            names.put(f"mail.{domain}", "A", STRANGER)
            names.put(domain, "TXT", f"v=spf1 {ends}")
        names.publish()
        cls.sink = sinks.Sink(STRANGER)
        cls.addClassCleanup(cls.sink.close)
        cls.make_domains()

    @classmethod
    def make_domains(cls):
        addresses = [f"cb-{number:02}@{PROVINCE}" for number in range(POOL)]
        for domain in (OPEN, LEVELS, NONE):
            cls.server.add_domain(domain)
        cls.server.add_mailboxes(addresses)
        cls.pool = iter(addresses)
        cls.server.must("policy", "set", OPEN, "sending.forward_outside=true", "--reason", "QĐ 1/QĐ-UBND")
        cls.server.must("policy", "set", NONE, "rules.own=false", "--reason", "QĐ 1/QĐ-UBND")
        for domain in (PROVINCE, OPEN, LEVELS):
            # One stranger writes more, and more alike, than strangers do.
            cls.server.must("policy", "set", domain, "limit.spam=off", "--reason", "QĐ 1/QĐ-UBND")

    def setUp(self):
        self.sink.messages.clear()
        self.sink.paths.clear()

    # ------------------------------------------------------------ steps

    def user(self, script=None):
        """A mailbox that nobody else uses, with this rule."""
        address = next(self.pool)
        if script:
            sieve.follow(self.server, address, script)
        return address

    def swaks(self, *arguments, message):
        return self.execute(self.tool("swaks"), *arguments, "--data", "-", input=message.decode())

    def try_to_bring(self, *recipients, sender=KNOWN, subject="Công văn", header="", named=None):
        """By port 25; what swaks says."""
        message = header.encode() + self.message(subject, to=named or recipients[0], sender=sender or "daemon@ro.test")
        return self.swaks("--server", self.server.host, "--local-interface", STRANGER, "--helo", "mail.ro.test",
                          "--from", sender or "<>", "--to", ",".join(recipients), message=message)

    def bring(self, *recipients, **options):
        done = self.try_to_bring(*recipients, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def submit(self, user, recipient, subject="Công văn"):
        """As a user does."""
        done = self.swaks("--server", f"{self.server.host}:{self.server.ports['submission']}", "--tls", "--auth", "PLAIN",
                          "--auth-user", user, "--auth-password", congthu.PASSWORD, "--from", user, "--to", recipient,
                          message=self.message(subject, to=recipient, sender=user))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def outside(self):
        """To whom something came outside, and what, once nothing waits any more."""
        end = time.monotonic() + PATIENCE
        while self.server.sql("select count(*) from queue_messages") != "0":
            self.assertLess(time.monotonic(), end, self.server.must("queue", "list"))
            time.sleep(0.05)
        return [(to, sieve.read(octets)) for _, to, octets in self.sink.messages]

    def lies(self, user):
        return sieve.lying(self.server, user)

    def told(self, user):
        """What the system wrote to him, as he reads it; what else lies in INBOX."""
        read = [sieve.read(octets) for octets in self.stored(user)]
        system = [one for one in read if "@other.test>" not in one["Message-ID"]]
        return ([one.get_body(("plain",)).get_content() for one in system], len(read) - len(system))

    def wait_told(self, user):
        """The one letter by which he is told, a few seconds behind the mail that it is about."""
        deadline = time.monotonic() + 30
        while not (letters := self.told(user)[0]):
            self.assertLess(time.monotonic(), deadline, "he was not told")
            time.sleep(0.2)
        self.assertEqual(len(letters), 1)
        return letters[0]

    # ------------------------------------------------------------ where it lies

    def test_mail_is_filed_flagged_copied_and_discarded(self):
        user = self.user(FILING)
        imap = self.server.imap(user)
        imap.must("CREATE", wire.quoted(mutf7.encode("Giấy mời")))
        for subject in ("Giấy mời họp", "Báo cáo tháng", "Khẩn: bão số 5", "Quảng cáo", "Hợp đồng", "Việc khác"):
            self.bring(user, subject=subject)
        self.assertEqual(self.lies(user), {
            "INBOX": ["Khẩn: bão số 5", "Việc khác"], "Giấy mời": ["Giấy mời họp"], "Báo cáo/Quý IV": ["Báo cáo tháng"],
            "Hợp đồng": ["Hợp đồng"], "Lưu": ["Hợp đồng"]})
        self.assertEqual(self.flags(imap, "INBOX"), [{"\\Flagged", "\\Seen", "$Khan"}, set()])
        self.assertEqual(self.flags(imap, mutf7.encode("Lưu")), [{"\\Seen"}])
        imap.logout()

    def flags(self, imap, folder):
        imap.select(folder, examine=True)
        return [{flag.decode() for flag in row["FLAGS"]} - {"\\Recent"} for _, row in imap.must("FETCH 1:* FLAGS").fetched()]

    def test_a_colleague_s_mail_is_filed_as_a_stranger_s(self):
        user = self.user(FILING)
        self.submit(self.user(), user, subject="Báo cáo tuần")
        self.assertEqual(self.lies(user), {"Báo cáo/Quý IV": ["Báo cáo tuần"]})

    def test_the_header_is_changed_on_the_copy_of_whom_it_is_changed_for(self):
        user, other = self.user('require "editheader";\naddheader "X-Phan-Loai" "Đã lọc"; deleteheader "Subject";\n'), self.user()
        self.bring(user, other)
        (changed,), (plain,) = self.stored(user), self.stored(other)
        self.assertEqual((sieve.read(changed)["X-Phan-Loai"], sieve.read(changed)["Subject"]), ("Đã lọc", None))
        self.assertEqual((sieve.read(plain)["X-Phan-Loai"], sieve.read(plain)["Subject"]), (None, "Công văn"))
        self.assertEqual(changed.partition(b"\r\n\r\n")[2], plain.partition(b"\r\n\r\n")[2])

    def test_the_domain_s_rules_go_first_then_the_unit_s(self):
        self.server.must("unit", "add", LEVELS, "--name", "Sở Nội vụ", "--kind", "so", "--code", "sonoivu")
        user = f"an@{LEVELS}"
        self.server.must("mailbox", "add", user, "--name", "Nguyễn Văn An", "--unit", "sonoivu", "--password-stdin",
                         "--no-password-change", stdin=congthu.PASSWORD + "\n")
        other = self.server.add_mailbox(f"binh@{LEVELS}")
        self.put_above('if header :contains "subject" "Tỉnh" { fileinto :create "Từ tỉnh"; }', "--domain", LEVELS)
        self.put_above('if header :contains "subject" ["Tỉnh", "Sở"] { fileinto :create "Từ sở"; }', "--domain", LEVELS, "--unit", "sonoivu")
        sieve.follow(self.server, user, 'require ["fileinto", "mailbox"];\nfileinto :create "Riêng";\n')
        self.until(lambda: self.goes_into(other, "Từ tỉnh", subject="Tỉnh"))
        for subject in ("Tỉnh họp", "Sở họp", "Bạn hỏi"):
            self.bring(user, subject=subject)
        self.assertEqual(self.lies(user), {"Từ tỉnh": ["Tỉnh họp"], "Từ sở": ["Sở họp"], "Riêng": ["Bạn hỏi"]})

    def test_a_domain_may_want_rules_of_its_own_alone(self):
        user = self.server.add_mailbox(f"an@{NONE}")
        door = sieve.Door(self.server, user)
        self.addCleanup(door.close)
        self.until(lambda: door.ask('PUTSCRIPT "quy-tac"', FILING).word == "NO")
        self.put_above('fileinto :create "Chung";', "--domain", NONE)
        self.until(lambda: self.goes_into(user, "Chung"))

    def until(self, condition):
        """The server looks every few seconds for what commands have changed."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, self.server.log_tail())
            time.sleep(0.2)

    def goes_into(self, user, folder, **options):
        self.bring(user, **options)
        return folder in self.lies(user)

    def put_above(self, rule, *owner):
        """By the operator."""
        self.server.must("sieve", "put", *owner, "tren", "-", stdin=f'require ["fileinto", "mailbox"];\n{rule}\n')
        self.server.must("sieve", "activate", *owner, "tren")

    # ------------------------------------------------------------ answers

    def test_whoever_writes_is_answered_once(self):
        user, colleague = self.user(VACATION), self.user()
        for _ in range(2):
            self.submit(colleague, user)
            self.bring(user, subject="Hỏi về hồ sơ")
        ((to, outside),) = self.outside()
        (inside,) = self.stored(colleague)
        self.assertEqual((to, self.sink.paths, inside[:17]), (KNOWN, [""], b"Return-Path: <>\r\n"))
        for answer, sender in ((sieve.read(inside), colleague), (outside, KNOWN)):
            self.assertEqual((answer["To"].addresses[0].addr_spec, answer["From"].addresses[0].addr_spec), (sender, user))
            self.assertEqual(answer["Subject"], "Trả lời: nghỉ phép")
            self.assertRegex(answer["Auto-Submitted"], "^auto-replied")
            self.assertRegex(answer["In-Reply-To"], "^<e2e-[0-9]+@other.test>$")
            self.assertIn("Việc gấp xin gọi 0296 3852 000.", answer.get_body(("plain",)).get_content())
        self.assertEqual(len(self.lies(user)["INBOX"]), 4, "what is answered is kept")

    def test_an_answer_without_a_subject_names_that_of_the_mail(self):
        user, colleague = self.user(f'require "vacation";\nvacation "{AWAY}";\n'), self.user()
        self.submit(colleague, user, subject="Đề nghị góp ý dự thảo Nghị quyết về chính sách hỗ trợ")
        self.assertEqual(self.lies(colleague)["INBOX"], ["Trả lời tự động: Đề nghị góp ý dự thảo Nghị quyết về chính sách hỗ trợ"])

    def test_nobody_is_answered_who_should_not_be(self):
        user = self.user(VACATION)
        kept = (dict(header="List-Id: <tin.ro.test>\r\n"), dict(header="Precedence: bulk\r\n"), dict(header="Auto-Submitted: auto-generated\r\n"),
                dict(sender=""), dict(sender="MAILER-DAEMON@ro.test"), dict(sender="owner-tin@ro.test"), dict(sender=NAMED),
                dict(named="nhieu-nguoi@ro.test"))
        for options in kept:
            self.bring(user, **options)
        self.assertEqual(self.outside(), [])
        self.assertEqual(len(self.lies(user)["INBOX"]), len(kept))
        self.bring(user)
        self.assertEqual([to for to, _ in self.outside()], [KNOWN], "it is up to who writes")

    def test_who_writes_to_a_group_is_not_answered_by_its_members(self):
        user, colleague, group = self.user(VACATION), self.user(), f"nhom@{PROVINCE}"
        self.server.must("group", "add", group, "--name", "Nhóm", "--senders", "everybody")
        self.server.must("group", "add-member", group, user)
        self.submit(colleague, group)
        self.bring(group)
        self.assertEqual((self.lies(user), self.lies(colleague), self.outside()), ({"INBOX": ["Công văn"] * 2}, {}, []))

    def test_two_who_are_away_answer_each_other_once(self):
        one, other = self.user(VACATION), self.user(VACATION)
        for _ in range(2):
            self.submit(one, other)
            self.submit(other, one)
        for user in (one, other):
            self.assertEqual(sorted(self.lies(user)["INBOX"]), ["Công văn", "Công văn", "Trả lời: nghỉ phép"])

    def test_a_leave_answers_on_its_days(self):
        user, first, second = self.user(), self.user(), self.user()
        today = datetime.datetime.now(PROVINCE_TIME).date()
        days = "--from", str(today), "--to", str(today + datetime.timedelta(days=3))
        self.server.must("mailbox", "leave", user, *days, "--reason", "Nghỉ phép năm", "--answer", AWAY, "--answer-subject", "Vắng mặt: nghỉ phép")
        self.submit(first, user)
        self.submit(first, user)
        self.server.must("mailbox", "cancel-leave", user, "--from", str(today), "--reason", "về sớm")
        self.submit(second, user)
        self.assertEqual((self.lies(first), self.lies(second)), ({"INBOX": ["Vắng mặt: nghỉ phép"]}, {}))
        self.assertEqual(len(self.lies(user)["INBOX"]), 3)

    # ------------------------------------------------------------ passed on

    def test_mail_goes_on_to_a_mailbox_here_that_has_rules_itself(self):
        last = self.user('require ["fileinto", "mailbox"];\nfileinto :create "Chuyển đến";\n')
        copying = self.user(f'require "copy";\nredirect :copy "{last}";\n')
        first = self.user(f'redirect "{copying}";\n')
        self.bring(first)
        self.assertEqual([self.lies(user) for user in (first, copying, last)], [{}, {"INBOX": ["Công văn"]}, {"Chuyển đến": ["Công văn"]}])

    def test_mail_that_would_go_in_a_circle_stays(self):
        one, other = self.user(), self.user()
        for user, to in ((one, other), (other, one)):
            sieve.follow(self.server, user, f'{VACATION}redirect "{to}";\n')
        for number in (1, 2):
            self.bring(one)
            found = [self.lies(user).get("INBOX", []) for user in (one, other)]
            self.assertEqual(sum(found, []), ["Công văn"] * number, "each message once")
        self.assertEqual([to for to, _ in self.outside()], [KNOWN], "by the one whom the message names")

    def test_mail_goes_outside_where_policy_lets_it(self):
        user = self.server.add_mailbox(f"mo@{OPEN}")
        sieve.follow(self.server, user, 'redirect "ban@ro.test";\n')
        self.bring(user, subject="Đi tiếp")
        ((to, passed),) = self.outside()
        self.assertEqual((to, passed["Subject"], self.lies(user)), ("ban@ro.test", "Đi tiếp", {}))
        self.assertRegex(self.sink.paths[0], rf"^SRS0=.*=ro\.test=lan@{OPEN}$")

    def test_mail_stays_where_policy_does_not_and_its_owner_is_told_once(self):
        user = self.user('redirect "ban@ro.test";\n')
        self.bring(user)
        letter = self.wait_told(user)
        self.bring(user)
        self.assertEqual(self.outside(), [])
        (_,), kept = self.told(user)
        self.assertEqual(kept, 2)
        self.assertIn("ban@ro.test", letter)

    # ------------------------------------------------------------ refused, failed

    def test_mail_is_refused_with_the_reason(self):
        script = 'require "%s";\nif header :contains "subject" "Bán" { %s "Hộp thư này không nhận quảng cáo."; }\n'
        for command in ("reject", "ereject"):
            user = self.user(script % (command, command))
            done = self.try_to_bring(user, subject="Bán hàng")
            self.assertEqual(done.returncode, 26, done.stdout)
            self.assertRegex(done.stdout, r"(?m)^<\*\* 550[ -]5\.7\.1 .*")
            self.bring(user, subject="Mua hàng")
            self.assertEqual(self.lies(user), {"INBOX": ["Mua hàng"]})
        self.assertEqual(self.outside(), [])

    def test_where_another_takes_it_the_sender_is_told_by_a_report(self):
        user, other = self.user('require "reject";\nreject "Tôi đã chuyển công tác.";\n'), self.user()
        self.bring(user, other)
        ((to, report),) = self.outside()
        self.assertEqual((to, self.lies(user), self.lies(other)), (KNOWN, {}, {"INBOX": ["Công văn"]}))
        self.assertIn(user, report.as_string())

    def test_a_script_that_fails_keeps_the_mail_and_its_owner_is_told_once(self):
        user = self.user('require ["fileinto", "mailbox", "include"];\nfileinto :create "Nửa chừng";\n\ninclude "khong-co";\n')
        self.bring(user)
        letter = self.wait_told(user)
        self.bring(user)
        (_,), kept = self.told(user)
        self.assertEqual(kept, 2)
        self.assertRegex(letter, "(?i)dòng 4")
        self.assertNotIn("Nửa chừng", self.lies(user))


if __name__ == "__main__":
    unittest.main()
