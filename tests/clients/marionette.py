"""Marionette, the remote control in Mozilla's programs: JSON over TCP, scripts run with the program's own rights."""

import base64
import json
import socket
import time

START_SECONDS = 90  # until the program listens
SCRIPT_SECONDS = 120  # of one script


class Failed(Exception):
    """The program refused a command or a script threw."""


class Marionette:
    def __init__(self, port):
        self.socket = self._connect(port)
        self.buffer = b""
        self.count = 0
        self._message()  # who it is
        self.command("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})
        self.command("Marionette:SetContext", {"value": "chrome"})
        self.command("WebDriver:SetTimeouts", {"script": SCRIPT_SECONDS * 1000})

    def _connect(self, port):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=SCRIPT_SECONDS + 30)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _message(self):
        while b":" not in self.buffer:
            self._fill()
        length, _, self.buffer = self.buffer.partition(b":")
        while len(self.buffer) < int(length):
            self._fill()
        message, self.buffer = self.buffer[: int(length)], self.buffer[int(length) :]
        return json.loads(message)

    def _fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise Failed("the program is gone")
        self.buffer += data

    def command(self, name, parameters):
        self.count += 1
        data = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(str(len(data)).encode() + b":" + data)
        _, number, error, result = self._message()
        if number != self.count or error:
            raise Failed(json.dumps(error or "out of step", indent=1).replace("\\n", "\n"))
        return result

    def run(self, script, *arguments):
        """The result of an async function's body, in the mail program's own scope."""
        wrapped = f"""
const done = arguments[arguments.length - 1];
const args = Array.from(arguments).slice(0, -1);
(async () => {{ {script} }})().then(value => done({{value}}), error => done({{error: String(error) + "\\n" + (error && error.stack)}}));
"""
        answer = self.command("WebDriver:ExecuteAsyncScript", {
            "script": wrapped, "args": list(arguments), "newSandbox": False, "sandbox": "system"})["value"]
        if "error" in answer:
            raise Failed(answer["error"])
        return answer.get("value")

    def screenshot(self, path):
        picture = self.command("WebDriver:TakeScreenshot", {"full": False, "hash": False})["value"]
        path.write_bytes(base64.b64decode(picture))

    def close(self):
        self.socket.close()
