"""Somebody else's mail server, in all its moods: it counts what it takes, and what it was asked for.

One process of the test, one port on all loopback addresses. What it does with a message is decided by its first recipient and by
how often that one has been tried. Only what got its 250 counts as taken; a connection that ends before has taken nothing.
"""

import asyncio
import collections
import dataclasses
import threading
import time

TAKE = "take"  # 250
LATER = "later"  # 451 to the recipient
AFTERWARDS = "afterwards"  # 451 to the content
DROP = "drop"  # closes in the midst of the content
MUTE = "mute"  # has the content, and closes without a word
GARBAGE = "garbage"  # octets that are no reply to the content
SLOW = "slow"  # takes its time for each reply, and takes the message

CONTENT_MAX = 8 << 20  # octets of a message
DROP_AFTER = 300  # octets of the content
SLOW_SECONDS = 0.3


@dataclasses.dataclass(eq=False)
class Line:
    """A connection."""

    number: int
    peer: str
    began: float
    ended: float = 0.0


@dataclasses.dataclass(eq=False)
class Copy:
    """A message that got its 250."""

    recipients: list
    line: Line
    at: float  # when the content had ended
    octets: bytes
    followed: bool = False  # the sender went on: it has read the 250, and noted it


class Remote(threading.Thread):
    """`mood(recipient, tries)` says what becomes of a message; `keep`: how many octets of each are remembered; `port`: 0 for any."""

    def __init__(self, mood=lambda recipient, tries: TAKE, keep=0, pause=lambda: 0.0, port=0):
        super().__init__(daemon=True)
        self.mood, self.keep, self.pause, self.port = mood, keep, pause, port
        self.copies, self.lines = [], []
        self.tries = collections.Counter()  # by first recipient
        self.moods = collections.Counter()
        self.fired = threading.Event()  # a content has just ended
        self.changed = threading.Condition()
        self.ready = threading.Event()
        self.start()
        self.ready.wait()

    # ------------------------------------------------------------ looking

    def wait_for(self, count, seconds):
        """Until so many copies were taken; False when they were not."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.copies) >= count, seconds)

    def counted(self):
        """How often each recipient was taken."""
        with self.changed:
            return collections.Counter(to for copy in self.copies for to in copy.recipients)

    def close(self):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.join()

    # ------------------------------------------------------------ serving

    def run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        self.loop, self.stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._speak, "0.0.0.0", self.port, limit=CONTENT_MAX, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.stopping.wait()
        server.close()

    async def _speak(self, reader, writer):
        line = Line(len(self.lines), writer.get_extra_info("peername")[0], time.monotonic())
        self.lines.append(line)
        try:
            await Dialogue(self, line, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            line.ended = time.monotonic()
            writer.close()

    def took(self, copy):
        with self.changed:
            self.copies.append(copy)
            self.changed.notify_all()


class Dialogue:
    def __init__(self, remote, line, reader, writer):
        self.remote, self.line, self.reader, self.writer = remote, line, reader, writer
        self.recipients, self.mood, self.last = [], TAKE, None

    async def run(self):
        await self.say("220 remote.test ESMTP")
        while True:
            command = (await self.reader.readuntil(b"\n")).decode("utf-8", "replace").strip()
            if self.last:
                self.last.followed, self.last = True, None
            verb = command.partition(" ")[0].upper()
            if verb == "EHLO":
                await self.say("250-remote.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")
            elif verb == "MAIL":
                self.recipients = []
                await self.say("250 2.1.0 OK")
            elif verb == "RCPT":
                await self.recipient(command[command.index("<") + 1:command.rindex(">")])
            elif verb == "DATA" and not self.recipients:
                await self.say("554 5.5.1 nobody to take it")
            elif verb == "DATA":
                await self.say("354 go on")
                if not await self.content():
                    return
            elif verb == "QUIT":
                return await self.say("221 2.0.0 bye")
            else:
                await self.say("250 2.0.0 OK" if verb in ("HELO", "RSET", "NOOP") else "500 5.5.1 what?")

    async def recipient(self, address):
        if not self.recipients:
            self.remote.tries[address] += 1
            self.mood = self.remote.mood(address, self.remote.tries[address])
            self.remote.moods[self.mood] += 1
        if self.mood == LATER:
            return await self.say("451 4.2.1 come later")
        self.recipients.append(address)
        await self.say("250 2.1.5 OK")

    async def content(self):
        """False when the connection is over."""
        if self.mood == DROP:
            await self.reader.readexactly(DROP_AFTER)
            self.writer.transport.abort()
            return False
        octets = await self.reader.readuntil(b"\r\n.\r\n")
        at = time.monotonic()
        self.remote.fired.set()
        if pause := self.remote.pause():
            await asyncio.sleep(pause)
        if self.mood == MUTE:
            return False
        if self.mood == GARBAGE:
            self.writer.write(b"\x00\xff\xfe what is this\r\n\x80\r\n")
            await self.writer.drain()
            return False
        if self.mood == AFTERWARDS:
            await self.say("451 4.3.2 come later")
            return True
        copy = Copy(self.recipients, self.line, at, octets[:-3][-self.remote.keep:] if self.remote.keep else b"")
        self.last = copy
        self.recipients = []
        self.remote.took(copy)
        await self.say("250 2.0.0 taken")
        return True

    async def say(self, text):
        if self.mood == SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()
