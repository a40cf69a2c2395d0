"""One message must never become two: every way to write an end of data that is not CRLF.CRLF.

Each form is sent one write per step, with the envelope pipelined, and one byte at a time; and inside BDAT, where
the count alone ends a message. A control shows that the same conversation without the form delivers.
"""

import unittest

import case
import wire

FORMS = {
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n", "CRLF.CR": b"\r\n.\r",
    "CR.LF": b"\r.\n", "LF.CR": b"\n.\r", "LFLF.LF": b"\n\n.\n", "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLFCR.CRLF": b"\r\n\r.\r\n", "CRLF.LFCR": b"\r\n.\n\r",
}
NUL_FORMS = {"CRLF NUL.CRLF": b"\r\n\x00.\r\n", "CRLF.NUL CRLF": b"\r\n.\x00\r\n", "CRLF.SP CRLF": b"\r\n. \r\n"}
WAYS = ("step by step", "pipelined", "byte by byte")


class Smuggling(case.Case):
    def setUp(self):
        self.victim, self.target = self.mailbox(), self.mailbox()

    def converse(self, way, form):
        """The replies after the message; the smuggled part names the target."""
        smuggled = (f"MAIL FROM:<ke-gian@other.test>\r\nRCPT TO:<{self.target}>\r\nDATA\r\n").encode() + self.message("giả mạo")
        content = self.message()[:-2] + form + smuggled + b"\r\n.\r\nQUIT\r\n"
        smtp = self.server.smtp()
        smtp.hello()
        envelope = f"MAIL FROM:<a@other.test>\r\nRCPT TO:<{self.victim}>\r\nDATA\r\n".encode()
        if way == "pipelined":
            smtp.raw(envelope)
        else:
            for line in envelope.splitlines(True):
                smtp.raw(line)
        self.assertEqual([smtp.reply().code for _ in range(3)], [250, 250, 354])
        replies = []
        try:
            if way == "byte by byte":
                for i in range(len(content)):
                    smtp.raw(content[i : i + 1])
            else:
                smtp.raw(content)
            while not replies or replies[-1].code not in (221, 421):
                replies.append(smtp.reply())
        except wire.Lost:
            pass
        smtp.close()
        return [r.code for r in replies]

    def test_no_form_ends_a_message(self):
        for name, form in FORMS.items():
            for way in WAYS:
                with self.subTest(form=name, way=way):
                    codes = self.converse(way, form)
                    self.assertIn(codes[:1], ([550], [554], [500], [521]), codes)
                    self.assertIn(codes[1:], ([], [221], [421]), "the smuggled commands were answered")
        self.assertEqual((self.stored(self.victim), self.stored(self.target)), ([], []))

    def test_a_bare_cr_before_the_true_end_ends_the_conversation(self):
        # CRLF.CRLF is there, so the message ends; but a sender that did not see it must not have its next bytes obeyed.
        for way in WAYS:
            with self.subTest(way=way):
                codes = self.converse(way, b"\r\r\n.\r\n")
                self.assertIn(codes[:1], ([550], [554], [500], [521]), codes)
                self.assertIn(codes[1:], ([], [421]), "the smuggled commands were answered")

    def test_nul_and_blank_next_to_the_dot_end_nothing(self):
        for name, form in NUL_FORMS.items():
            for way in WAYS:
                with self.subTest(form=name, way=way):
                    codes = self.converse(way, form)
                    self.assertEqual(len(codes), 2, codes)  # the message's and QUIT's
        self.assertEqual(self.stored(self.target), [])

    def test_the_control_delivers(self):
        user = self.mailbox()
        smtp = self.server.smtp()
        smtp.hello()
        message = self.message()
        smtp.raw(f"MAIL FROM:<a@other.test>\r\nRCPT TO:<{user}>\r\nDATA\r\n".encode())
        self.assertEqual([smtp.reply().code for _ in range(3)], [250, 250, 354])
        for i in range(len(message)):
            smtp.raw(message[i : i + 1])
        smtp.raw(b".\r\n")
        self.assertEqual(smtp.reply().code, 250)
        smtp.quit()
        self.assert_same(self.stored(user)[0], message)

    def test_bdat_counts_and_does_not_look_for_dots(self):
        user = self.mailbox()
        message = self.message(body="một\r\n.\r\nMAIL FROM:<ke-gian@other.test>\r\nRCPT TO:<" + self.target + ">\r\n")
        smtp = self.server.smtp()
        smtp.hello()
        smtp.envelope("a@other.test", [user])
        (final,) = smtp.bdat(message, 1, 11)
        self.assertEqual(final.code, 250, str(final))
        smtp.expect("NOOP", 250)
        smtp.quit()
        self.assert_same(self.stored(user)[0], message)
        self.assertEqual(self.stored(self.target), [])

    def test_bare_line_ends_are_refused_in_bdat_too(self):
        user = self.mailbox()
        for name, form in FORMS.items():
            for chunk in (0, 1):
                with self.subTest(form=name, chunk=chunk):
                    smtp = self.server.smtp()
                    smtp.hello()
                    smtp.envelope("a@other.test", [user])
                    message = self.message()[:-2] + form + b"MAIL FROM:<x@other.test>\r\n"
                    try:
                        codes = [f.code for f in smtp.bdat(message, 1, chunk)]
                    except wire.Refused as refusal:
                        codes = [refusal.reply.code]
                    self.assertEqual(codes[0] // 100, 5)
                    smtp.close()
        self.assertEqual(self.stored(user), [])

    def test_bdat_and_data_do_not_mix(self):
        smtp = self.server.smtp()
        smtp.hello()
        smtp.envelope("a@other.test", [self.victim])
        smtp.raw(b"BDAT 5\r\nabc\r\n")
        self.assertEqual(smtp.reply().code, 250)
        self.assertEqual(smtp.ask("DATA").code, 503)
        smtp.close()

    def test_lines_in_commands_end_with_crlf_only(self):
        user = self.mailbox()
        smtp = self.server.smtp()
        smtp.hello()
        smtp.raw(f"MAIL FROM:<a@other.test>\nRCPT TO:<{user}>\r\n".encode())
        self.assertEqual(smtp.reply().code // 100, 5)
        smtp.close()


class LmtpSmuggling(Smuggling):
    """The same forms on the LMTP port; the rest is shared with SMTP and tested there."""

    test_the_control_delivers = test_bdat_counts_and_does_not_look_for_dots = None
    test_bare_line_ends_are_refused_in_bdat_too = test_bdat_and_data_do_not_mix = test_lines_in_commands_end_with_crlf_only = None

    def converse(self, way, form):
        lmtp = self.server.smtp("lmtp")
        lmtp.hello()
        lmtp.envelope("a@other.test", [self.victim])
        self.assertEqual(lmtp.ask("DATA").code, 354)
        content = self.message()[:-2] + form + f"MAIL FROM:<x@other.test>\r\nRCPT TO:<{self.target}>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n".encode()
        replies = []
        try:
            for piece in [content] if way != "byte by byte" else [content[i : i + 1] for i in range(len(content))]:
                lmtp.raw(piece)
            while not replies or replies[-1].code not in (221, 421):
                replies.append(lmtp.reply())
        except wire.Lost:
            pass
        lmtp.close()
        return [r.code for r in replies]


if __name__ == "__main__":
    unittest.main()
