"""Starting, stopping, dying, coming back; the command line beside a running and a stopped server."""

import json
import os
import signal
import subprocess
import time
import unittest

import case
import congthu
import wire

PATIENCE = 60.0  # seconds for something the server does by itself


class Life(case.Case):
    """Each test has its own server."""

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.server = congthu.Congthu()
        self.addCleanup(self.server.close)

    def begin(self):
        self.server.start()
        self.server.add_domain("thu.test")
        self.user = self.server.add_mailbox("can-bo@thu.test")

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}\n{self.server.log_tail()}")
            time.sleep(0.02)

    def test_mail_outlives_stop_and_kill(self):
        self.begin()
        messages = [self.message() for _ in range(3)]
        self.deliver(messages[0], self.user)
        self.assertEqual(self.server.stop(), 0, self.server.log_tail())
        self.assertEqual(self.server.postgres_pids(), [])
        self.server.start()
        self.deliver(messages[1], self.user)
        self.server.kill()
        self.server.start()
        self.deliver(messages[2], self.user)
        for one, sent in zip(self.stored(self.user), messages, strict=True):
            self.assert_same(one, sent)

    def test_a_killed_postmaster_is_replaced(self):
        self.begin()
        message = self.message()
        self.deliver(message, self.user)
        pid = self.server.postmaster_pid()
        self.assertIsNotNone(pid)
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: self.server.postmaster_pid() not in (None, pid) and self.server.is_ready(), "Postgres did not come back")
        self.assertTrue(self.server.running())
        self.deliver(message, self.user)
        self.assertEqual(len(self.stored(self.user)), 2)
        self.assertEqual(len(self.server.postmasters()), 1)

    def test_while_postgres_is_away_the_answer_is_later(self):
        self.begin()
        smtp = self.server.smtp()
        smtp.hello()
        smtp.expect("MAIL FROM:<a@other.test>", 250)
        smtp.expect(f"RCPT TO:<{self.user}>", 250)
        smtp.expect("DATA", 354)
        os.kill(self.server.postmaster_pid(), signal.SIGKILL)
        message = self.message()
        smtp.raw(message + b".\r\n")
        final = smtp.reply()
        self.assertIn(final.code, (250, 451), str(final))
        self.until(self.server.is_ready, "not ready again")
        self.assertEqual(len(self.stored(self.user)), 1 if final.code == 250 else 0)

    def test_a_second_server_on_the_same_data_is_refused(self):
        self.begin()
        second = congthu.Congthu()
        self.addCleanup(second.close)
        second.data_dir = self.server.data_dir
        second.write_config()
        process = second.spawn()
        self.assertEqual(process.wait(PATIENCE), 1, second.log_tail())
        self.assertIn(str(self.server.data_dir), second.log_tail().splitlines()[-1])
        self.assertNotIn("panicked", second.log_tail())
        self.deliver(self.message(), self.user)
        self.assertEqual(len(self.stored(self.user)), 1)

    def test_a_taken_port_is_said_clearly(self):
        second = congthu.Congthu()
        self.addCleanup(second.close)
        self.server.start()
        second.ports["smtp"] = self.server.ports["smtp"]
        second.write_config()
        process = second.spawn()
        self.assertEqual(process.wait(congthu.READY_TIMEOUT), 1, second.log_tail())
        self.assertIn(str(self.server.ports["smtp"]), second.log_tail())

    def test_sigterm_drains(self):
        self.begin()
        message = self.message(body="x" * 70 + "\r\n")
        smtp = self.server.smtp()
        smtp.hello()
        smtp.envelope("a@other.test", [self.user])
        smtp.expect("DATA", 354)
        smtp.raw(message[:100])
        reader = self.server.imap(self.user)
        reader.select("INBOX")
        self.server.terminate()
        self.until(lambda: not self.server.greets(), "still takes new connections after SIGTERM")
        self.assertTrue(self.server.running())
        smtp.raw(message[100:] + b".\r\n")
        self.assertEqual(smtp.reply().code, 250)
        line = b""
        try:
            while not line.startswith(b"* BYE"):
                line = reader.stream.line()
        except wire.Lost:
            self.fail(f"the IMAP session ended without BYE: {line}")
        smtp.close()
        self.assertEqual(self.server.process.wait(PATIENCE), 0, self.server.log_tail())
        self.server.start()
        self.assert_same(self.stored(self.user)[0], message)

    def test_healthz(self):
        self.server.start()
        self.assertEqual(self.server.health(), 200)

    def test_the_log_tells_no_secrets(self):
        self.begin()
        self.deliver(self.message(subject="bí mật zq8271", body="nội dung zq9163\r\n"), self.user)
        imap = wire.Imap("127.0.0.1", self.server.ports["imaps"])
        imap.command("LOGIN", self.user, "sai-mat-khau-55")
        self.stored(self.user)
        self.server.stop()
        log = self.server.log_path.read_text(errors="replace")
        for secret in (congthu.PASSWORD, "sai-mat-khau-55", "zq9163", "zq8271"):
            self.assertNotIn(secret, log)
        self.assertNotIn("panicked", log)


class CommandLine(case.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = congthu.Congthu()
        cls.addClassCleanup(cls.server.close)

    def refuse(self, code, *arguments, stdin=None, says=""):
        done = self.server.run(*arguments, stdin=stdin)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertIn(says, done.stderr)
        return done.stderr

    def test_unknown_keys_are_errors_with_the_line(self):
        path = self.server.directory / "bad.toml"
        for text, line, key in [
            ('hostname = "mail.demo.test"\nhostnam = "x"\n', 2, "hostnam"),
            ('data_dir = "/x"\n\n[limits]\nexempt_network = []\n', 4, "exempt_network"),
            ('[[listener]]\nprotocol = "smtp"\nbind = "127.0.0.1:2525"\ntsl = "none"\n', 4, "tsl"),
            ("[databse]\n", 1, "databse"),
            ('[[listener]]\nprotocol = "smpt"\nbind = "127.0.0.1:2525"\n', 2, "smpt"),
            ("hostname = \n", 1, "bad.toml"),
        ]:
            path.write_text(text)
            path.chmod(0o644)
            done = subprocess.run([congthu.binary(), "serve", "--config", path], capture_output=True, text=True, timeout=60)
            self.assertIn(done.returncode, (1, 2))
            self.assertIn(key, done.stderr)
            self.assertRegex(done.stderr, rf"\b{line}\b")
            self.assertLessEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_config_is_taken_before_and_after_and_from_the_environment(self):
        config = str(self.server.config)
        for arguments, environment in [
            (["--config", config, "domain", "list", "--json"], {}),
            (["domain", "list", "--json", "--config", config], {}),
            (["domain", "list", "--json"], {"CONGTHU_CONFIG": config}),
        ]:
            done = subprocess.run([congthu.binary(), *arguments], capture_output=True, text=True, timeout=120,
                                  env={**os.environ, **environment})
            self.assertEqual(done.returncode, 0, done.stderr)
            json.loads(done.stdout)

    def test_wrong_use_is_2(self):
        for arguments in (["mailbox"], ["serve", "--nonsense"], ["domain", "add"], ["mailbox", "add", "khong-phai-dia-chi", "--name", "A"]):
            self.refuse(2, *arguments)

    def test_it_works_while_the_server_runs_and_while_it_does_not(self):
        for running in (False, True):
            if running:
                self.server.start()
            domain = f"chay-{running}.test".lower()
            self.server.add_domain(domain)
            user = self.server.add_mailbox(f"a@{domain}", quota="300MB")
            self.refuse(1, "domain", "add", domain, "--profile", congthu.PROFILE, says=domain)
            error = self.refuse(1, "mailbox", "add", user, "--name", "B", "--password-stdin", stdin=congthu.PASSWORD + "\n", says=user)
            self.assertEqual(len(error.strip().splitlines()), 1, error)
            shown = json.loads(self.server.must("mailbox", "show", user, "--json"))
            self.assertEqual(shown["address"], user)
            listed = json.loads(self.server.must("mailbox", "list", "--domain", domain, "--json"))
            self.assertEqual([m["address"] for m in listed], [user])
            self.refuse(1, "mailbox", "show", f"khong@{domain}", "--json")
            self.refuse(1, "mailbox", "add", f"a@khong-{domain}", "--name", "B", "--password-stdin", stdin=congthu.PASSWORD + "\n")
            if running:
                self.deliver(self.message(), user, f"a@{domain}")
                self.assertEqual(len(self.stored(user)), 1)
                self.server.must("mailbox", "delete", user, "--now", "--reason", "thu hồi", "--without-export")
                smtp = self.server.smtp()
                smtp.hello()
                accepted, _ = smtp.envelope("a@other.test", [user])
                self.assertEqual(accepted, [])
                self.server.stop()
            else:
                self.assertEqual(self.server.postgres_pids(), [], "Postgres was left running")

    def test_add_many_is_all_or_told(self):
        self.server.add_domain("nhieu.test")
        path = self.server.directory / "rows.csv"
        path.write_text("address,name,class,password\n"
                        f"mot@nhieu.test,Nguyễn Văn Một,person,{congthu.PASSWORD}\n"
                        f"không đúng@nhieu.test,Trần Thị Hai,person,{congthu.PASSWORD}\n", encoding="utf-8")
        path.chmod(0o644)
        error = self.refuse(1, "mailbox", "add-many", str(path))
        self.assertIn("3", error)  # the line of the wrong row
        path.write_text("address,name,class,password\n" + "".join(
            f"so-{i}@nhieu.test,Người {i},person,{congthu.PASSWORD}\n" for i in range(5)), encoding="utf-8")
        self.server.must("mailbox", "add-many", str(path), "--dry-run")
        self.assertEqual(json.loads(self.server.must("mailbox", "list", "--domain", "nhieu.test", "--json")), [])
        self.server.must("mailbox", "add-many", str(path))
        self.assertEqual(len(json.loads(self.server.must("mailbox", "list", "--domain", "nhieu.test", "--json"))), 5)


if __name__ == "__main__":
    unittest.main()
