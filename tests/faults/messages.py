"""The crash drill's messages: each says its token, and the same seed writes the same bytes."""

import base64
import random

SHARED_ATTACHMENTS = [base64.encodebytes(random.Random(i).randbytes(90_000 << i)).replace(b"\n", b"\r\n") for i in range(3)]


def compose(rng, token, sender, to):
    """A message that says its token; sizes from one line to a few hundred KB, some sharing attachments."""
    head = (f"X-Drill: {token}\r\nFrom: <{sender}>\r\nTo: <{to}>\r\nSubject: =?UTF-8?B?"
            f"{base64.b64encode(f'Công văn số {token}'.encode()).decode()}?=\r\nMessage-ID: <{token}@drill.test>\r\n"
            f"Date: Mon, 02 Jun 2025 08:00:00 +0700\r\nMIME-Version: 1.0\r\n").encode()
    kind = rng.random()
    if kind < 0.75:
        lines = [noise(rng) for _ in range(rng.choice([1, 5, 20, 60]))]
        return head + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + b"".join(lines)
    if kind < 0.9:
        body = base64.encodebytes(rng.randbytes(rng.randrange(10_000, 250_000))).replace(b"\n", b"\r\n")
    else:
        body = rng.choice(SHARED_ATTACHMENTS)
    return (head + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n' + noise(rng)
            + b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
            + b'Content-Disposition: attachment; filename="a.bin"\r\n\r\n' + body + b"--b--\r\n")


def noise(rng):
    """A line of 8-bit text; some begin with dots, which DATA doubles."""
    line = base64.b64encode(rng.randbytes(48)).decode() + " Kính gửi Ủy ban nhân dân"
    return ("." * rng.randrange(3) * (rng.random() < 0.2) + line + "\r\n").encode()
