//! Do the name servers hand on what proves the names of other domains (DNSSEC)? Where they refuse to say, all mail that goes by MX waits, as
//! it has to be known whether a domain's keys (DANE) hold.
//!
//! Invariant: they are asked the very question that the mail waits for.

use super::Findings;
use crate::config::Config;
use guard::Resolver;

const MEND: &str =
    "ask others in [dns] servers that hand on DNSSEC, best a resolver of your own, such as unbound";

pub(super) async fn look(resolver: &Resolver, config: &Config, findings: &mut Findings) {
    let by_mx = config.smart_host.is_none() || config.routes.iter().any(|route| route.host.is_none());
    if !by_mx {
        return;
    }
    if !config.dnssec {
        let what = "[dns] dnssec is off: other domains' keys (DANE) are not looked at";
        return findings.warn("dns", what, format!("{MEND}, and take it out"));
    }
    match resolver.hands_on_proofs().await {
        Ok(true) => findings.ok("dns", "the name servers hand on what proves names (DNSSEC)"),
        Ok(false) => {
            let what = "the name servers hand on no DNSSEC: other domains' keys (DANE) are not looked at";
            findings.warn("dns", what, MEND);
        }
        Err(error) => {
            let what = format!(
                "all mail that goes by MX waits (4.7.5), for the answer to `. NS` with DNSSEC: {error}"
            );
            let mend = match config.dns_anchors {
                Some(_) => format!("{MEND}, and have the key in [dns] anchors be the root's"),
                None => format!("{MEND}; or set dnssec = \"off\" in [dns], and do without DANE"),
            };
            findings.error("dns", what, mend);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, as_text};
    use super::*;
    use tokio::net::UdpSocket;

    const SERVFAIL: u8 = 2;
    const REFUSED: u8 = 5;
    /// `. 60 IN NS ns.`
    const ROOT: &[u8] = b"\0\0\x02\0\x01\0\0\0\x3c\0\x04\x02ns\0";
    /// `. IN NS`, and what begins an OPT record.
    const PROBE: &[u8] = b"\0\0\x02\0\x01\0\0\x29";

    /// Answers the question that mail waits for with this, and others with nothing.
    async fn serve(socket: &UdpSocket, (code, answer): (u8, &[u8])) {
        let mut question = [0; 512];
        loop {
            let (length, peer) = socket.recv_from(&mut question).await.unwrap();
            let question = &question[..length];
            // With DO (RFC 4035 3.2.1).
            let is_probe = question[12..].starts_with(PROBE) && question[24] & 0x80 != 0;
            let answer = if is_probe { answer } else { b"" };
            let name = question[12..].iter().position(|octet| *octet == 0).unwrap();
            let mut reply = question[..2].to_vec();
            let answers = u8::from(!answer.is_empty());
            reply.extend([0x81, 0x80 | if is_probe { code } else { 0 }, 0, 1, 0, answers, 0, 0, 0, 0]);
            reply.extend(&question[12..12 + name + 5]);
            reply.extend(answer);
            socket.send_to(&reply, peer).await.unwrap();
        }
    }

    /// Warnings, errors and their text, where a name server answers so, or (`None`) nothing.
    async fn found(answer: Option<(u8, &[u8])>, root: &str, dns: &str) -> (usize, usize, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let text = format!("{root}\n[dns]\nservers = ['{}']\n{dns}\n", socket.local_addr().unwrap());
        let config = Config::parse(&text, "test").unwrap();
        let resolver = crate::outbound::resolver(&config).unwrap();
        let mut findings = Findings::default();
        let served = async {
            match answer {
                Some(answer) => serve(&socket, answer).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = look(&resolver, &config, &mut findings) => {}
            () = served => {}
        }
        (findings.count(Level::Warning), findings.count(Level::Error), as_text(&findings))
    }

    #[tokio::test]
    async fn name_servers_that_have_mail_wait_are_said_and_what_to_do() {
        for code in [REFUSED, SERVFAIL] {
            let (warnings, errors, text) = found(Some((code, b"")), "", "").await;
            assert_eq!((warnings, errors), (0, 1), "{text}");
            assert!(text.contains("mail that goes by MX waits (4.7.5)"), "{text}");
            assert!(text.contains("[dns] servers") && text.contains("dnssec = \"off\""), "{text}");
            // Then nothing waits, and what is lost is said.
            let (warnings, errors, text) = found(Some((code, b"")), "", "dnssec = 'off'").await;
            assert_eq!((warnings, errors), (1, 0), "{text}");
            assert!(text.contains("DANE"), "{text}");
            // No mail goes by MX.
            let relay = "[outbound]\nsmart_host = 'relay.a.vn:25'";
            assert_eq!(found(Some((code, b"")), relay, "").await, (0, 0, String::new()));
            let apart = format!("{relay}\n[[route]]\ndomain = 'b.vn'");
            assert_eq!(found(Some((code, b"")), &apart, "").await.1, 1);
        }
        let (warnings, errors, text) = found(Some((0, ROOT)), "", "").await;
        assert_eq!((warnings, errors), (1, 0), "{text}");
        assert!(text.contains("hand on no DNSSEC"), "{text}");
    }

    #[tokio::test]
    async fn a_root_of_ones_own_has_to_be_signed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("root.key");
        let key = "1FzwqBHaFS+s5v3jirLNSI/2ZDbauVjtSXAj2sIlqan8eSdkS3uCkIvIcKmOKSm9GHPHux7qv6waiwpQRFvsXQ==";
        std::fs::write(&file, format!(". IN DNSKEY 257 3 13 {key}\n")).unwrap();
        let anchors = format!("anchors = '{}'", file.display());
        let (warnings, errors, text) = found(Some((0, ROOT)), "", &anchors).await;
        assert_eq!((warnings, errors), (0, 1), "{text}");
        assert!(text.contains("the key in [dns] anchors"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn name_servers_that_say_nothing_are_said() {
        let (warnings, errors, text) = found(None, "", "").await;
        assert_eq!((warnings, errors), (0, 1), "{text}");
        assert!(text.contains("the name servers do not answer"), "{text}");
    }
}
