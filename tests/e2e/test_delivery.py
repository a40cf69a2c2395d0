"""Mail arrives: port 25, LMTP, and what is refused there."""

import concurrent.futures
import re
import unittest

import case
import wire


class Smtp(case.Case):
    def test_swaks_delivers_over_starttls(self):
        user = self.mailbox()
        done = self.execute(self.tool("swaks"), "--server", f"127.0.0.1:{self.server.ports['smtp']}", "--tls", "--to", user,
                            "--from", "van-thu@other.test", "--header", "Subject: swaks", "--body", "xin chào")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("TLS started", done.stdout)
        (stored,) = self.stored(user)
        self.assertIn(b"Subject: swaks\r\n", stored)
        self.assertIn("xin chào".encode(), stored)
        self.assertRegex(stored, rb"(?s)^Return-Path: <van-thu@other.test>\r\nReceived: from .*with U?(TF8)?E?SMTPS")

    def test_every_extension_is_offered(self):
        smtp = self.server.smtp()
        smtp.hello()
        self.assertLessEqual({"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "LIMITS", "STARTTLS"},
                             set(smtp.extensions))
        self.assertIn("RCPTMAX=", smtp.extensions["LIMITS"])
        self.assertNotIn("AUTH", smtp.extensions)
        smtp.start_tls()
        smtp.hello()
        self.assertNotIn("STARTTLS", smtp.extensions)
        self.assertEqual(smtp.ask("VRFY ai-do").code, 252)
        self.assertEqual(smtp.ask("NOOP").code, 250)
        self.assertEqual(smtp.ask("HELO client.test").code, 250)
        self.assertEqual(smtp.ask("QUIT").code, 221)

    def test_bytes_are_kept_by_data_and_by_bdat(self):
        user = self.mailbox()
        lines = ["." * n + "dòng" for n in range(4)] + ["", ".", "..", "x" * 990, "\t  trailing  "]
        message = self.message(body="\r\n".join(lines) + "\r\n")
        self.deliver(message, user)
        smtp = self.server.smtp()
        smtp.hello()
        for chunk in (0, 1, 7, 1000):
            accepted, _ = smtp.envelope("van-thu@other.test", [user])
            (final,) = smtp.bdat(message, len(accepted), chunk)
            self.assertEqual(final.code, 250, str(final))
        smtp.quit()
        stored = self.stored(user)
        self.assertEqual(len(stored), 5)
        for one in stored:
            self.assert_same(one, message)

    def test_one_line_without_header_and_an_empty_message(self):
        user = self.mailbox()
        for message in (b"chi mot dong\r\n", b"\r\n", b"\r\n\r\n"):
            self.deliver(message, user)
        for one, sent in zip(self.stored(user), (b"chi mot dong\r\n", b"\r\n", b"\r\n\r\n")):
            self.assertTrue(one.endswith(sent))

    def test_several_recipients_share_the_bytes_and_are_not_named(self):
        users = [self.mailbox() for _ in range(3)]
        message = self.message()
        self.deliver(message, *users)
        fronts = {self.assert_same(one, message) for user in users for one in self.stored(user)}
        self.assertEqual(len(fronts), 1)
        (front,) = fronts
        for user in users:
            self.assertNotIn(user.encode(), front)

    def test_a_repeated_recipient_gets_one_copy(self):
        user = self.mailbox()
        self.deliver(self.message(), user, user, user.upper())
        self.assertEqual(len(self.stored(user)), 1)

    def test_null_sender_tag_and_case(self):
        user = self.mailbox()
        local, domain = user.split("@")
        self.deliver(self.message(), user, sender="")
        self.deliver(self.message(), f"{local}+viec@{domain}")
        self.deliver(self.message(), f"{local.upper()}@{domain.upper()}")
        stored = self.stored(user)
        self.assertEqual(len(stored), 3)
        self.assertTrue(stored[0].startswith(b"Return-Path: <>\r\n"))

    def test_refusals_have_codes(self):
        smtp = self.server.smtp()
        smtp.hello()
        for command, code, enhanced in [
            ("RCPT TO:<can-bo-00@thu.test>", 503, "5.5.1"),
            ("MAIL FROM:<a@other.test> SIZE=99999999999", 552, "5.3.4"),
            ("MAIL FROM:<a@other.test> WHAT=EVER", 555, "5.5.4"),
            ("MAIL FROM:a@other.test", 501, "5.1.7"),
            ("WHAT", 500, "5.5.1"),
        ]:
            reply = smtp.ask(command)
            self.assertEqual((reply.code, reply.text.split(" ")[0]), (code, enhanced), f"{command}: {reply}")
        smtp.expect("MAIL FROM:<a@other.test>", 250)
        unknown = smtp.ask("RCPT TO:<khong-co@thu.test>")
        self.assertEqual((unknown.code, unknown.text[:5]), (550, "5.1.1"))
        relay = smtp.ask("RCPT TO:<ai@khac.test>")
        self.assertEqual((relay.code, relay.text[:5]), (550, "5.7.1"))
        self.assertIn(smtp.ask("DATA").code, (503, 554))
        smtp.quit()

    def test_an_international_address_needs_smtputf8(self):
        smtp = self.server.smtp()
        smtp.hello()
        self.assertEqual(smtp.ask("MAIL FROM:<văn-thư@other.test>").code // 100, 5)
        self.assertEqual(smtp.ask("MAIL FROM:<văn-thư@other.test> SMTPUTF8").code, 250)
        smtp.quit()
        user = self.mailbox()
        self.deliver(self.message(), user, sender="văn-thư@other.test", options=" SMTPUTF8 BODY=8BITMIME")
        self.assertTrue(self.stored(user)[0].startswith("Return-Path: <văn-thư@other.test>\r\n".encode()))

    def test_a_message_over_the_limit_is_refused_while_it_streams(self):
        smtp = self.server.smtp()
        smtp.hello()
        limit = int(smtp.extensions["SIZE"])
        smtp.envelope("a@other.test", [self.mailbox()])
        self.assertEqual(smtp.ask("DATA").code, 354)
        block = b"x" * 998 + b"\r\n"
        for _ in range(limit // 1_000_000 + 2):
            smtp.raw(block * 1000)
        smtp.raw(b".\r\n")
        final = smtp.reply()
        self.assertEqual((final.code, final.text[:5]), (552, "5.3.4"))

    def test_a_looping_message_is_refused(self):
        user = self.mailbox()
        message = b"Received: from a by b; Mon, 02 Jun 2025 08:00:00 +0700\r\n" * 120 + self.message()
        smtp = self.server.smtp()
        smtp.hello()
        smtp.envelope("a@other.test", [user])
        (final,) = smtp.data(message, 1)
        self.assertEqual((final.code, final.text[:5]), (554, "5.4.6"))
        self.assertEqual(self.stored(user), [])

    def test_pipelined_transactions_are_answered_in_order(self):
        user = self.mailbox()
        smtp = self.server.smtp()
        smtp.hello()
        messages = [self.message(subject=f"số {i}") for i in range(3)]
        data = b""
        for message in messages:
            data += f"MAIL FROM:<a@other.test>\r\nRCPT TO:<khong-co@thu.test>\r\nRCPT TO:<{user}>\r\n".encode()
            data += b"BDAT %d LAST\r\n" % len(message) + message
        smtp.raw(data + b"QUIT\r\n")
        codes = [smtp.reply().code for _ in range(13)]
        self.assertEqual(codes, [250, 550, 250, 250] * 3 + [221])
        for one, sent in zip(self.stored(user), messages, strict=True):
            self.assert_same(one, sent)

    def test_64_concurrent_deliveries_to_one_mailbox(self):
        user = self.mailbox()
        messages = [self.message(subject=f"thư {i}") for i in range(64)]
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            list(pool.map(lambda m: self.deliver(m, user), messages))
        stored = self.stored(user)
        found = {re.search(rb"Message-ID: <([^>]+)>", s).group(1): s for s in stored}
        self.assertEqual((len(stored), len(found)), (64, 64))
        for message in messages:
            self.assert_same(found[re.search(rb"Message-ID: <([^>]+)>", message).group(1)], message)

    def test_a_connection_cut_inside_a_message_delivers_nothing(self):
        user = self.mailbox()
        for by_bdat in (False, True):
            smtp = self.server.smtp()
            smtp.hello()
            smtp.envelope("a@other.test", [user])
            if by_bdat:
                smtp.raw(b"BDAT 1000\r\n" + b"x" * 998 + b"\r\n")
                self.assertEqual(smtp.reply().code, 250)
            else:
                smtp.ask("DATA")
                smtp.raw(self.message())
            smtp.close()
        self.assertEqual(self.stored(user), [])


class Lmtp(case.Case):
    def test_each_recipient_has_its_reply(self):
        users = [self.mailbox() for _ in range(2)]
        lmtp = self.server.smtp("lmtp")
        self.assertEqual(lmtp.ask("EHLO client.test").code // 100, 5)
        lmtp.hello()
        message = self.message()
        accepted, replies = lmtp.envelope("a@other.test", [users[0], "khong-co@thu.test", users[1]])
        self.assertEqual([r.code for r in replies], [250, 550, 250])
        finals = lmtp.data(message, len(accepted))
        self.assertEqual([f.code for f in finals], [250, 250])
        lmtp.expect("NOOP", 250)
        accepted, _ = lmtp.envelope("a@other.test", users)
        self.assertEqual([f.code for f in lmtp.bdat(message, len(accepted), 100)], [250, 250])
        lmtp.quit()
        for user in users:
            for one in self.stored(user):
                self.assertIn(b"with LMTP", self.assert_same(one, message))

    def test_swaks_speaks_lmtp(self):
        user = self.mailbox()
        done = self.execute(self.tool("swaks"), "--protocol", "LMTP", "--server", f"127.0.0.1:{self.server.ports['lmtp']}",
                            "--to", user, "--from", "a@other.test")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(len(self.stored(user)), 1)


if __name__ == "__main__":
    unittest.main()
