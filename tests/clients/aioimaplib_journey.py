"""aioimaplib (Python, asyncio): IDLE while mail comes, UID FETCH, STORE, COPY, MOVE, APPEND. Arguments as for IMAPClient."""

import asyncio
import smtplib
import ssl
import sys
from importlib.metadata import version

from aioimaplib import aioimaplib

PORT, USER, PASSWORD, AUTHORITY, SMTP = sys.argv[1:6]
MESSAGE = "From: <a@other.test>\r\nTo: <b@thu.test>\r\nSubject: {n}\r\nMessage-ID: <{n}@other.test>\r\n\r\nNội dung {n}\r\n"
FOLDER = '"C&APQ-ng v&AQM-n"'


def deliver(n):
    with smtplib.SMTP("127.0.0.1", int(SMTP)) as smtp:
        smtp.sendmail("a@other.test", [USER], MESSAGE.format(n=n).encode())


def good(response):
    assert response.result == "OK", response
    return response.lines


async def main():
    client = aioimaplib.IMAP4_SSL("127.0.0.1", int(PORT), ssl_context=ssl.create_default_context(cafile=AUTHORITY))
    await client.wait_hello_from_server()
    good(await client.login(USER, PASSWORD))
    good(await client.id(name="aioimaplib"))
    good(await client.create(FOLDER))
    assert any(b"C&APQ-ng v&AQM-n" in line for line in good(await client.list('""', "*")))
    good(await client.append(MESSAGE.format(n="append").encode(), FOLDER, "(\\Seen)"))
    good(await client.select("INBOX"))

    for n in range(2):  # what a watcher does: IDLE, be told, DONE, read
        idle = await client.idle_start(timeout=60)
        await asyncio.get_running_loop().run_in_executor(None, deliver, n)
        pushed = []
        while not any(line.endswith(b"EXISTS") for line in pushed):
            pushed += await client.wait_server_push(30)
        client.idle_done()
        await asyncio.wait_for(idle, 30)

    lines = good(await client.uid("fetch", "1:*", "(UID FLAGS RFC822.SIZE BODY.PEEK[])"))
    bodies = [bytes(line) for line in lines if isinstance(line, bytearray)]
    assert [body.endswith(MESSAGE.format(n=n).encode()) for n, body in enumerate(bodies)] == [True, True], lines
    good(await client.uid("store", "1", "+FLAGS", "(\\Seen \\Flagged)"))
    assert good(await client.uid_search("UNSEEN", charset=None))[0] == b"2"
    assert good(await client.uid_search("BODY", '"Nội dung 1"', charset="utf-8"))[0] == b"2"
    good(await client.uid("copy", "1", FOLDER))
    good(await client.uid("move", "2", FOLDER))
    good(await client.uid("store", "1", "+FLAGS", "(\\Deleted)"))
    good(await client.expunge())
    assert good(await client.status(FOLDER, "(MESSAGES UNSEEN)"))[0].endswith(b"(MESSAGES 3 UNSEEN 1)")
    good(await client.close())
    good(await client.logout())


asyncio.run(main())
print("aioimaplib", version("aioimaplib"))
