"""Certificates from a real authority (Debian's pebble): the first one, renewal, several nodes, an authority that fails, a node that dies."""

import json
import os
import signal
import socket
import ssl
import time
import unittest
import urllib.error
import urllib.request

import authority
import case
import congthu
import test_lock
import wire

HOST = "mail.demo.test"
PATIENCE = 90.0  # seconds; a dead node's order is taken by another after a minute
LISTENERS = {**congthu.LISTENERS, "acme": ("acme", "none")}
BINDING = ("khach-hang-7", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")


class Acme(case.Case):
    def setUp(self):
        pass

    @classmethod
    def setUpClass(cls):
        cls.tool(cls(), "pebble")

    def runTest(self):
        """So that a method can be called without one."""

    def install(self, challenge="http-01", more="", running=True, **settings):
        """A server that asks a pebble of its own; neither runs the other's errands yet."""
        server = congthu.Congthu(listeners=LISTENERS, own_certificate=False, hostname=HOST)
        self.addCleanup(server.close)
        server.authority = authority.Authority(
            [HOST], http=server.ports["acme"], tls=server.ports["https"], running=running, **settings)
        self.addCleanup(server.authority.close)
        self.configure(server, challenge, more)
        return server

    def configure(self, server, challenge, more="", before=""):
        asked = server.authority
        server.extra = (f'{before}[acme]\ndirectory = "{asked.url}"\nauthorities = "{asked.root}"\nchallenge = "{challenge}"\n{more}')
        server.write_config()

    def shown(self, server, port="imaps"):
        """The certificate that a client sees, in DER; by STARTTLS where the port wants it."""
        if server.listeners[port][1] == "starttls":
            smtp = server.smtp(port)
            smtp.hello()
            smtp.start_tls()
            shown = smtp.stream.socket.getpeercert(True)
            smtp.close()
            return shown
        raw = socket.create_connection(("127.0.0.1", server.ports[port]), timeout=30)
        with wire.trusting_context().wrap_socket(raw, server_hostname=HOST) as tls:
            return tls.getpeercert(True)

    def until(self, what, server, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while not (found := what()):
            self.assertLess(time.monotonic(), deadline, server.log_tail())
            time.sleep(0.1)
        return found

    def wait_for_other(self, server, before, port="imaps", patience=PATIENCE):
        """The certificate in place of `before`."""
        self.until(lambda: self.shown(server, port) != before, server, patience)
        return self.shown(server, port)

    def status(self, server):
        return json.loads(server.must("acme", "status", "--json"))[0]

    def orders(self, server, columns="state"):
        return server.sql(f"select {columns} from acme_orders order by order_id").splitlines()

    def no_key_is_told(self, server):
        log = server.log_path.read_text(errors="replace")
        keys = server.sql("select encode(secret, 'base64') from acme_orders where secret is not null").replace("\n", "")
        self.assertNotIn("PRIVATE KEY", log)
        self.assertNotIn(keys[60:100], log)
        self.assertEqual(list(server.data_dir.glob("tls/*acme*")), [])


class First(Acme):
    def test_http_01_on_every_port_without_a_restart_and_renewed(self):
        server = self.install()
        server.start()
        own = self.shown(server)
        server.add_domain(case.DOMAIN)
        user = server.add_mailbox(f"mot@{case.DOMAIN}")
        held = server.imap(user)
        first = self.wait_for_other(server, own)
        trusted = server.authority.trusted()
        for port in ("smtp", "submission", "submissions", "imaps", "https"):
            self.assertEqual(self.shown(server, port), first, port)
        for port, mail in (("smtp", "smtp"), ("imap", "imap"), ("imaps", None)):
            done = self.execute(
                self.tool("openssl"), "s_client", "-connect", f"127.0.0.1:{server.ports[port]}", "-CAfile", trusted,
                "-verify_return_error", "-verify_hostname", HOST, "-servername", HOST, "-brief",
                *(["-starttls", mail] if mail else []), input="")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("Verification: OK", done.stderr)
        done = self.execute(
            self.tool("swaks"), "--server", "127.0.0.1", "--port", server.ports["smtp"], "--to", user, "--from", "a@other.test",
            "--tls", "--tls-verify", "--tls-ca-path", trusted, "--tls-sni", HOST)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        state = self.status(server)
        self.assertEqual((state["certificate"], state["names_in_use"], state["fault"]), ("main", [HOST], None))
        self.assertLess(state["next"], state["ends"])
        page = urllib.request.urlopen(f"http://127.0.0.1:{server.ports['http']}/metrics", timeout=10).read().decode()
        self.assertIn(f'congthu_certificate_expiry_timestamp_seconds{{name="{HOST}"}}', page)
        self.assertIn('congthu_certificate_orders_total{result="done"} 1', page)
        checked = server.run("check").stdout
        self.assertRegex(checked, rf"ok +tls +the certificate main .*{HOST}.* good until")

        server.must("acme", "renew")
        second = self.wait_for_other(server, first)
        self.assertEqual(self.orders(server), ["replaced", "done"])
        self.assertEqual(server.sql("select count(*) from acme_answers"), "0")
        held.must("NOOP")
        held.logout()
        self.no_key_is_told(server)
        # What there is is there again after a restart, before anybody is asked.
        server.stop()
        server.authority.stop()
        server.start()
        self.assertEqual(self.shown(server), second)
        audit = server.must("audit", "list", "--json")
        self.assertIn("*/job/certificates", audit)

    def test_port_80_answers_authorities_and_sends_all_others_to_https(self):
        server = self.install(running=False)
        server.start()

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None

        def ask(path, headers=()):
            request = urllib.request.Request(f"http://127.0.0.1:{server.ports['acme']}{path}", headers=dict(headers))
            try:
                return urllib.request.build_opener(Stay).open(request, timeout=10)
            except urllib.error.HTTPError as error:
                return error

        for token in ("khong-co", "..%2f..%2fetc", "a" * 5000):
            self.assertEqual(ask(f"/.well-known/acme-challenge/{token}").status, 404, token[:20])
        for path in ("/", "/mat-khau?a=b", "/metrics", "/healthz"):
            answer = ask(path, {"Host": "ke-gian.test"})
            self.assertEqual(answer.status, 307, path)
            self.assertEqual(answer.headers["Location"], f"https://{HOST}:{server.ports['https']}{path}")

    def test_tls_alpn_01(self):
        server = self.install(challenge="tls-alpn-01")
        server.start()
        own = self.shown(server)
        self.wait_for_other(server, own)
        self.assertEqual(self.shown(server, "https"), self.shown(server))
        # Who asks for the authority's protocol when there is nothing to show gets nothing.
        context = wire.trusting_context()
        context.set_alpn_protocols(["acme-tls/1"])
        raw = socket.create_connection(("127.0.0.1", server.ports["https"]), timeout=30)
        with self.assertRaises((ssl.SSLError, OSError)):
            context.wrap_socket(raw, server_hostname=HOST).getpeercert(True)

    def test_an_account_elsewhere_is_shown_where_the_authority_wants_it(self):
        server = self.install(binding=BINDING)
        server.start()
        self.until(lambda: self.orders(server, "fault") not in ([], [""]), server)
        self.assertIn("externalAccountRequired", self.status(server)["fault"])
        self.assertEqual(self.orders(server), ["failed"])
        server.stop()
        key = server.directory / "acme-key"
        key.write_text(BINDING[1] + "\n")
        key.chmod(0o644)
        self.configure(server, "http-01", f'account_id = "{BINDING[0]}"\naccount_key_file = "{key}"\n')
        server.start()
        own = self.shown(server)
        time.sleep(1)
        self.assertEqual(self.orders(server), ["failed"], "an hour is waited")
        server.must("acme", "renew")
        self.wait_for_other(server, own)
        self.assertEqual(self.orders(server), ["failed", "done"])


class Domains(Acme):
    def test_each_domain_has_one_for_the_names_that_lead_here(self):
        server = self.install()
        asked = server.authority
        here = ["autoconfig.thu.test", "mta-sts.thu.test"]
        for name in here:
            asked.names.records[(name, "A")] = ["127.0.0.1"]
        asked.names.records[("autodiscover.thu.test", "A")] = ["127.0.0.99"]
        server.extra += f'[dns]\nservers = ["127.0.0.1:{asked.names.port}"]\n[mta_sts]\nmode = "testing"\n'
        server.write_config()
        server.start()
        server.add_domain(case.DOMAIN)
        server.must("acme", "renew", case.DOMAIN)
        self.until(lambda: self.orders(server, "label || ' ' || state") == ["main done", f"{case.DOMAIN} done"], server)
        states = {state["certificate"]: state for state in json.loads(server.must("acme", "status", "--json"))}
        self.assertEqual(states[case.DOMAIN]["names_in_use"], here)
        trusted = asked.trusted()

        def verified(name):
            done = self.execute(
                self.tool("openssl"), "s_client", "-connect", f"127.0.0.1:{server.ports['https']}", "-CAfile", trusted,
                "-verify_return_error", "-verify_hostname", name, "-servername", name, "-brief", input="")
            return done.returncode == 0

        self.until(lambda: all(verified(name) for name in [HOST, *here]), server, patience=20)
        self.assertFalse(verified("autodiscover.thu.test"))
        self.assertRegex(server.run("check").stdout, rf"ok +tls +the certificate {case.DOMAIN} is for {here[0]}, {here[1]}")


class Nodes(Acme):
    def test_a_node_answers_for_the_other_and_takes_what_it_got(self):
        first = self.install()
        first.start()
        own = self.shown(first)
        second = congthu.Congthu(listeners=LISTENERS, own_certificate=False, hostname=HOST)
        self.addCleanup(second.close)
        second.authority = first.authority
        test_lock.Lock.server = first
        self.configure(second, "http-01", before=test_lock.Lock.database())
        common = self.wait_for_other(first, own)
        second.start()
        self.assertEqual(self.shown(second), common)
        # The second stands still until the first has ordered; the authority looks at the second alone.
        asked = first.authority
        asked.stop()
        config = json.loads(asked.config.read_text())
        config["pebble"]["httpPort"] = second.ports["acme"]
        asked.config.write_text(json.dumps(config))
        os.kill(second.process.pid, signal.SIGSTOP)
        self.addCleanup(lambda: second.running() and os.kill(second.process.pid, signal.SIGCONT))
        asked.start()
        # A pebble that begins anew knows nobody: the account is made again.
        first.must("acme", "renew")
        self.until(lambda: first.sql("select count(*) from acme_answers") == "1", first)
        self.assertEqual(self.shown(first), common)
        os.kill(second.process.pid, signal.SIGCONT)
        renewed = self.wait_for_other(first, common)
        self.assertEqual(self.wait_for_other(second, common, patience=20), renewed)
        self.assertEqual(self.orders(first), ["replaced", "done"])
        self.assertIn("accountDoesNotExist", first.log_path.read_text())
        self.assertIn("there is a new certificate", first.log_path.read_text())
        self.assertNotIn("there is a new certificate", second.log_path.read_text())


class Failures(Acme):
    def test_an_authority_that_is_dead_is_asked_again(self):
        server = self.install(running=False)
        server.start()
        own = self.shown(server)
        self.until(lambda: "an order of a certificate waits" in server.log_path.read_text(), server)
        self.assertEqual(self.shown(server), own)
        self.assertIn("refused", self.status(server)["fault"])
        server.authority.start()
        self.wait_for_other(server, own)
        self.assertEqual(self.orders(server), ["done"])

    def test_a_slow_authority_that_refuses_half_of_what_it_is_told(self):
        server = self.install(PEBBLE_VA_NOSLEEP="0", PEBBLE_VA_SLEEPTIME="12", PEBBLE_WFE_NONCEREJECT="50")
        server.start()
        # Each time that it refuses thrice in a row, the order rests a little longer.
        self.wait_for_other(server, self.shown(server), patience=4 * PATIENCE)

    def test_a_refusal_takes_nothing_away_and_is_not_repeated(self):
        server = self.install()
        server.start()
        good = self.wait_for_other(server, self.shown(server))
        # The name leads nowhere any more.
        server.authority.names.records[(HOST, "A")] = ["127.0.0.254"]
        server.must("acme", "renew")
        self.until(lambda: self.orders(server)[1:] == ["failed"], server)
        state = self.status(server)
        self.assertIn(f"{HOST}: ", state["fault"])
        self.assertIn("no certificate came of an order; what is in use stays", server.log_path.read_text())
        self.assertRegex(server.run("check").stdout, r"warning +tls +the last order of the certificate main failed")
        time.sleep(20)  # more than one look
        self.assertEqual(self.orders(server), ["done", "failed"])
        self.assertEqual(self.shown(server), good)

    def test_kill_9_in_the_middle_of_an_order(self):
        server = self.install(PEBBLE_VA_NOSLEEP="0", PEBBLE_VA_SLEEPTIME="10")
        server.start()
        own = self.shown(server)
        placed = self.until(lambda: [url for url in self.orders(server, "url") if url], server)
        server.kill()
        server._end_postgres()
        server.start()
        self.assertEqual(self.shown(server), own)
        self.wait_for_other(server, own, patience=2 * PATIENCE)
        self.assertEqual(self.orders(server), ["done"])
        self.assertEqual(self.orders(server, "url"), placed, "the same order")
        self.no_key_is_told(server)


if __name__ == "__main__":
    unittest.main()
