"""Users put their rules where `sieve-connect` finds the door, and rules that would eat the server end at their limit."""

import json
import os
import pathlib
import tempfile
import time
import unittest

import case
import congthu
import mutf7
import sieve
import wire

SCRIPTS_MAX = 16
SCRIPT_OCTETS_MAX = 256 * 1024
HUGE = 10 << 20  # octets
DELIVERY_SECONDS_MAX = 10.0  # of a message that meets a bomb; others wait no longer
SORT = 'require ["fileinto", "mailbox"];\r\nif header :contains "subject" "Giấy mời" {\r\n  fileinto :create "Giấy mời";\r\n}\r\n'
WRONG = 'require ["fileinto"];\r\nif header :contains "subject" "Khẩn" {\r\n  fileinto "Khẩn"\r\n}\r\n'  # line 4 begins where a “;” is missing


class Client(case.Case):
    """Debian's client, over STARTTLS and with the certificate looked at."""

    def setUp(self):
        self.user = self.mailbox()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)
        self.write("loc-thu", SORT)
        self.write("sai", WRONG)

    def write(self, name, script):
        path = self.scratch / name
        path.write_text(script, encoding="utf-8")
        return path

    def connect(self, *commands, password=congthu.PASSWORD):
        """What it says to these commands, of one session; in the directory with the scripts."""
        reading, writing = os.pipe()
        os.write(writing, password.encode() + b"\n")
        os.close(writing)
        try:
            return self.execute(
                self.tool("sieve-connect"), "--server", self.server.host, "--port", self.server.ports["sieve"], "--nosrv",
                "--tlscafile", self.server.certificate, "--user", self.user, "--passwordfd", reading,
                "--exec", self.write("commands", "\n".join(commands) + "\n"), pass_fds=[reading], cwd=self.scratch)
        finally:
            os.close(reading)

    def must(self, *commands):
        done = self.connect(*commands)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def refuse(self, *commands, **options):
        done = self.connect(*commands, **options)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr

    def test_a_script_is_put_followed_shown_and_deleted(self):
        said = self.must("put loc-thu", 'put loc-thu "Lọc thư đến"', "activate loc-thu", "list")
        self.assertEqual(sorted(line for line in said.splitlines() if line), ['"Lọc thư đến"', '"loc-thu" ACTIVE'])
        self.assertIn(SORT.replace("\r\n", "\n"), self.must("show loc-thu").replace("\r\n", "\n"))
        self.deliver(self.message("Giấy mời họp"), self.user)
        self.assertEqual(len(self.stored(self.user, mutf7.encode("Giấy mời"))), 1)
        self.assertIn("ACTIVE", self.refuse("delete loc-thu"), "what is followed is not deleted")
        self.assertIn('"loc-thu"\n', self.must("deactivate", "list"))
        self.deliver(self.message("Giấy mời họp"), self.user)
        self.assertEqual(len(self.stored(self.user)), 1)
        self.assertEqual(self.must("delete loc-thu", 'delete "Lọc thư đến"', "list").split(), [])

    def test_a_mistake_is_told_with_its_line_and_column(self):
        for command in ("checkscript sai", "put sai"):
            self.assertRegex(self.refuse(command), r"(?is)NO .*(line|dòng) 4, (column|cột) 1\b")
        self.must("checkscript loc-thu")
        self.assertEqual(self.must("list").split(), [], "neither was kept")

    def test_a_wrong_password_opens_nothing(self):
        self.assertIn("Authentication refused", self.refuse("list", password="sai-mat-khau"))

    def test_what_is_too_large_is_refused(self):
        self.write("dai", f"# {'x' * SCRIPT_OCTETS_MAX}\r\nkeep;\r\n")
        self.assertIn("QUOTA/MAXSIZE", self.refuse("put dai"))
        self.assertEqual(self.must("list").split(), [])

    def test_the_seventeenth_script_is_refused(self):
        puts = [f"put loc-thu so-{number}" for number in range(SCRIPTS_MAX)]
        self.must(*puts)
        self.assertIn("QUOTA/MAXSCRIPTS", self.refuse("put loc-thu thua"))
        self.must("put loc-thu so-0")
        self.assertEqual(self.must("list").count('"so-'), SCRIPTS_MAX)


class Door(case.Case):
    """What no client would do."""

    def open(self, *arguments):
        door = sieve.Door(self.server, *arguments)
        self.addCleanup(door.close)
        return door

    def refuse(self, door, command, code, literal=None):
        reply = door.ask(command, literal)
        self.assertEqual((reply.word, reply.code), ("NO", code), reply)
        return reply

    def test_passwords_are_not_taken_in_the_clear(self):
        user = self.mailbox()
        door = self.open()
        offered = door.greeting.capabilities()
        self.assertEqual((offered["SASL"], "STARTTLS" in offered), ("", True), offered)
        log_in = f'AUTHENTICATE "PLAIN" "{sieve.plain(user, congthu.PASSWORD)}"'
        self.refuse(door, log_in, "ENCRYPT-NEEDED")
        door.start_tls()
        offered = door.greeting.capabilities()
        self.assertIn("PLAIN", offered["SASL"].split())
        self.assertNotIn("STARTTLS", offered)
        self.assertLessEqual({"fileinto", "vacation", "imap4flags", "editheader", "ereject"}, set(offered["SIEVE"].split()))
        for command in ("LISTSCRIPTS", 'SETACTIVE ""', 'HAVESPACE "a" 1'):
            self.assertEqual(door.ask(command).word, "NO", "nobody is logged in")
        door.must(log_in)
        door.must("LISTSCRIPTS")

    def test_a_renamed_script_is_still_followed(self):
        door = self.open(self.mailbox())
        door.follow(SORT, "cu")
        door.must('PUTSCRIPT "khac"', SORT)
        self.refuse(door, 'RENAMESCRIPT "cu" "khac"', "ALREADYEXISTS")
        self.refuse(door, 'RENAMESCRIPT "khong-co" "moi"', "NONEXISTENT")
        door.must('RENAMESCRIPT "cu" "moi"')
        self.assertEqual(sorted(door.must("LISTSCRIPTS").lines), ['"khac"', '"moi" ACTIVE'])
        self.refuse(door, 'DELETESCRIPT "moi"', "ACTIVE")
        self.refuse(door, 'GETSCRIPT "cu"', "NONEXISTENT")
        self.assertEqual(door.must('GETSCRIPT "moi"').lines, [SORT])

    def test_each_sees_his_own(self):
        self.open(self.mailbox()).follow(SORT)
        other = self.open(self.mailbox())
        self.assertEqual(other.must("LISTSCRIPTS").lines, [])
        self.refuse(other, 'GETSCRIPT "quy-tac"', "NONEXISTENT")


class CommandLine(case.Case):
    """The operator's way, of a mailbox; for units and domains there is no other."""

    def setUp(self):
        self.user = self.mailbox()

    def sieve(self, command, *arguments, **options):
        return self.server.must("sieve", command, "--mailbox", self.user, *arguments, **options)

    def refuse(self, command, *arguments, **options):
        done = self.server.run("sieve", command, "--mailbox", self.user, *arguments, **options)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stdout + done.stderr)
        return done.stderr

    def test_a_script_is_put_followed_shown_and_deleted(self):
        self.assertIn("version 1", self.sieve("put", "loc-thu", "-", stdin=SORT))
        self.assertIn("version 2", self.sieve("put", "loc-thu", "-", stdin="# mới\r\n" + SORT))
        self.assertIn("not active", self.sieve("list"))
        self.sieve("activate", "loc-thu")
        self.deliver(self.message("Giấy mời họp"), self.user)
        self.assertEqual(sieve.lying(self.server, self.user), {"Giấy mời": ["Giấy mời họp"]})
        (listed,) = json.loads(self.sieve("list", "--json"))
        self.assertEqual((listed["name"], listed["active"], listed["version"]), ("loc-thu", True, 2))
        self.assertEqual(len(self.sieve("versions", "loc-thu").splitlines()), 2)
        self.assertNotIn("# mới", self.sieve("show", "loc-thu", "--version", "1"))
        self.assertIn("# mới", self.sieve("show", "loc-thu"))
        self.refuse("delete", "loc-thu")
        self.sieve("deactivate")
        self.sieve("delete", "loc-thu")
        self.assertEqual(json.loads(self.sieve("list", "--json")), [])

    def test_what_is_wrong_is_told_in_a_line(self):
        wrong = self.refuse("put", "sai", "-", stdin=WRONG)
        self.assertIn("line 4, column 1: ", wrong)
        self.assertIn("Dòng 4, cột 1: ", wrong)
        for command in ("show", "activate", "delete", "versions"):
            self.assertIn("there is no script", self.refuse(command, "khong-co"))
        self.assertIn("larger than 256 KB", self.refuse("put", "dai", "-", stdin="#" * SCRIPT_OCTETS_MAX + "\r\n"))


class Bombs(case.Case):
    """Scripts that would take all there is: refused, or ended at their limit with the message delivered."""

    def setUp(self):
        self.user = self.mailbox()
        self.door = sieve.Door(self.server, self.user)
        self.addCleanup(self.door.close)

    def tearDown(self):
        self.assertTrue(self.server.running())
        self.deliver(self.message(), self.mailbox())

    def refuse(self, script):
        """It is not taken, and whoever put it can go on, at the latest with a new connection."""
        try:
            reply = self.door.ask('PUTSCRIPT "bom"', script)
            self.assertIn(reply.word, ("NO", "BYE"), reply)
        except wire.Lost:
            pass  # as a literal that is too large may be answered
        self.assertEqual(sieve.Door(self.server, self.user).must("LISTSCRIPTS").lines, [])

    def meet(self, *scripts, body="Kính gửi.\r\n"):
        """The message that meets the last of the scripts lies in INBOX soon."""
        for number, script in enumerate(scripts):
            self.door.must(f'PUTSCRIPT "bom-{number}"', script)
        self.door.must(f'SETACTIVE "bom-{len(scripts) - 1}"')
        began = time.monotonic()
        self.deliver(self.message("Qua bom", body), self.user)
        self.assertLess(time.monotonic() - began, DELIVERY_SECONDS_MAX)
        self.assertIn("Qua bom", sieve.lying(self.server, self.user)["INBOX"])

    def test_nested_too_deep(self):
        depth = 10_000
        for script in ("if true {\n" * depth + "keep;" + "}" * depth,
                       "if " + "not " * depth + "true { keep; }",
                       "if " + "anyof(" * depth + "true" + ")" * depth + " { keep; }",
                       "keep " + "[" * depth + "]" * depth + ";"):
            self.refuse(script)

    def test_strings_of_ten_megabytes(self):
        self.refuse(f'redirect "{"a" * HUGE}";')
        self.refuse(b'require "' + b"\xff" * 1000 + b'";')
        self.refuse(f"text:\n{'x' * 200_000}")

    def test_variables_that_double(self):
        doubled = 'set "a" "${a}${a}";\n' * 4_000
        self.meet(f'require "variables";\nset "a" "{"x" * 1000}";\n{doubled}keep;\n')

    def test_patterns_that_try_everything(self):
        hard = "*a" * 100 + "b"
        rules = f'if body :raw :matches "{hard}" {{ discard; }}\n' * 100
        self.meet(f'require "body";\n{rules}', body=("a" * 900 + "\r\n") * 2_000)

    def test_scripts_that_include_each_other(self):
        name = lambda number: f'require "include";\ninclude :personal "bom-{number}";\n'
        self.meet(name(1), name(0))

    def test_an_include_that_doubles(self):
        leaf = "keep;\n"
        node = lambda number: 'require "include";\n' + f'include :personal "bom-{number - 1}";\n' * 100
        self.meet(leaf, *(node(number) for number in range(1, 8)))

    def test_folders_without_end(self):
        self.meet('require ["fileinto", "mailbox", "copy"];\n' + "".join(f'fileinto :copy :create "t{n}";\n' for n in range(5_000)))

    def test_headers_that_grow(self):
        self.meet(f'require ["editheader", "variables"];\nset "a" "{"x" * 900}";\n' + 'addheader "X-A" "${a}";\n' * 5_000)

    def test_mail_to_everybody(self):
        others = [self.mailbox() for _ in range(5)]
        self.meet("".join(f'redirect "{other}";\n' for other in others) + f'redirect "ai@{case.DOMAIN}";\n' * 5_000)
        self.assertEqual([self.stored(other) for other in others], [[]] * 5)


if __name__ == "__main__":
    unittest.main()
