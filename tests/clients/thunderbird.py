"""Thunderbird under Xvfb with a profile prepared for one account, driven by Marionette."""

import contextlib
import os
import subprocess
import time
import urllib.parse

import congthu
import marionette

START_SECONDS = 30  # until Xvfb says which display it took
END_SECONDS = 30

# Nothing that phones home, asks for a click, or opens a tab of its own.
QUIET = {
    "app.donation.eoy.version.viewed": 999,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "mail.inappnotifications.enabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spellcheck.inline": False,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.manage-offline-status": False,
    "offline.autoDetect": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


def preferences(user, imap_port, smtp_port, marionette_port, starttls=False):
    """One account of `user`, by TLS from the start or by STARTTLS, and the local folders every profile has."""
    socket_type = 2 if starttls else 3  # nsMsgSocketType: alwaysSTARTTLS, SSL
    root = f"imap://{urllib.parse.quote(user, safe='')}@127.0.0.1"
    return QUIET | {
        "marionette.port": marionette_port,
        "mail.accountmanager.accounts": "account1,account2",
        "mail.accountmanager.defaultaccount": "account1",
        "mail.accountmanager.localfoldersserver": "server2",
        "mail.account.account1.identities": "id1",
        "mail.account.account1.server": "server1",
        "mail.account.account2.server": "server2",
        "mail.identity.id1.fullName": "Nguyễn Văn Thư",
        "mail.identity.id1.useremail": user,
        "mail.identity.id1.smtpServer": "smtp1",
        "mail.identity.id1.valid": True,
        "mail.identity.id1.fcc_folder": f"{root}/Sent",
        "mail.identity.id1.draft_folder": f"{root}/Drafts",
        "mail.identity.id1.compose_html": False,
        "mail.server.server1.type": "imap",
        "mail.server.server1.hostname": "127.0.0.1",
        "mail.server.server1.port": imap_port,
        "mail.server.server1.userName": user,
        "mail.server.server1.name": user,
        "mail.server.server1.socketType": socket_type,
        "mail.server.server1.authMethod": 3,
        "mail.server.server1.login_at_startup": False,
        "mail.server.server1.check_new_mail": False,
        "mail.server.server2.type": "none",
        "mail.server.server2.hostname": "Local Folders",
        "mail.server.server2.userName": "nobody",
        "mail.server.server2.name": "Local Folders",
        "mail.smtpservers": "smtp1",
        "mail.smtp.defaultserver": "smtp1",
        "mail.smtpserver.smtp1.hostname": "127.0.0.1",
        "mail.smtpserver.smtp1.port": smtp_port,
        "mail.smtpserver.smtp1.username": user,
        "mail.smtpserver.smtp1.try_ssl": socket_type,
        "mail.smtpserver.smtp1.authMethod": 3,
    }


def literal(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Thunderbird:
    """One running program. `remote` is its Marionette."""

    def __init__(self, directory, user, imap_port, smtp_port, authority, starttls=False, more=None):
        self.directory = directory
        self.user = user
        self.profile = directory / "profile"
        self.profile.mkdir()
        self.processes = []
        (self.marionette_port,) = congthu.free_ports(1)
        chosen = preferences(user, imap_port, smtp_port, self.marionette_port, starttls) | (more or {})
        lines = [f'user_pref("{k}", {literal(v)});' for k, v in chosen.items()]
        (self.profile / "prefs.js").write_text("\n".join(lines) + "\n")
        for command in (["-N", "--empty-password"], ["-A", "-n", "authority", "-t", "C,,", "-i", str(authority)]):
            subprocess.run(["certutil", "-d", f"sql:{self.profile}", *command], check=True, capture_output=True)
        self.display = None

    def _xvfb(self):
        """A display nobody else has: Xvfb picks the number and writes it down."""
        reader, writer = os.pipe()
        self._spawn(["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x900x24", "-nolisten", "tcp"], pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader) as file:
            return ":" + file.readline().strip()

    def _spawn(self, command, **options):
        with open(self.directory / f"{command[0]}.log", "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        self.processes.append(process)
        return process

    def start(self):
        self.display = self.display or self._xvfb()
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(self.directory), "DISPLAY": self.display, "LC_ALL": "C.UTF-8",
            "MOZ_MARIONETTE": "1", "MOZ_CRASHREPORTER_DISABLE": "1", "XDG_RUNTIME_DIR": str(self.directory), "NO_AT_BRIDGE": "1",
            "TZ": "Asia/Ho_Chi_Minh",
        }
        self.process = self._spawn(["thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(self.profile)], env=environment)
        self.remote = marionette.Marionette(self.marionette_port)

    def quit(self):
        """As a person does it; the profile is written."""
        with contextlib.suppress(marionette.Failed, OSError):
            self.remote.command("Marionette:Quit", {"flags": ["eAttemptQuit"]})
        self.remote.close()
        self.process.wait(END_SECONDS)

    def close(self):
        """Ends what was started here."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def version():
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "thunderbird"], capture_output=True, text=True).stdout
    return out.partition(":")[2].partition("~")[0].partition("-")[0]
