//! Scanners of content: are there any, and do they answer. Each is asked about a letter of our own, the way a stranger's mail is.
//!
//! A scanner that is configured and dead is worse than none: what it did not see is taken or refused as policy says, unseen.

use super::Findings;
use crate::config::Config;
use guard::{Envelope, Scanners};
use model::scan::{Malware, Scan, Spam};
use std::net::{IpAddr, Ipv4Addr};

const MB: u64 = 1 << 20;
/// What they are asked about: plain, and of nobody.
const LETTER: &[u8] = b"From: congthu check <postmaster@localhost>\r\nTo: postmaster@localhost\r\n\
    Subject: congthu check\r\nDate: Thu, 1 Jan 2026 00:00:00 +0700\r\nMessage-ID: <check@localhost>\r\n\r\nIs anybody there?\r\n";

pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let scanners = config.scan.scanners();
    let said = ask(&scanners).await;
    judge(&said, findings);
    if said.malware == Malware::Clean {
        let largest = (config.scan.clamd_bytes_max(), config.limits.message_bytes_max);
        judge_sizes(scanners.takes_the_largest().await, largest, findings);
    }
    if let Some(learner) = config.scan.learner() {
        let may_teach = learner.may_teach().await;
        judge_learner(may_teach.map_err(|error| error.to_string()), findings);
    }
}

async fn ask(scanners: &Scanners) -> Scan {
    let recipients = ["postmaster@localhost".to_owned()];
    let envelope = Envelope {
        remote: IpAddr::V4(Ipv4Addr::LOCALHOST),
        helo: "localhost",
        sender: "postmaster@localhost",
        recipients: &recipients,
        user: None,
    };
    scanners.scan(LETTER, &envelope).await
}

fn judge(said: &Scan, findings: &mut Findings) {
    match &said.malware {
        Malware::NotAsked => findings.warn(
            "scan",
            "nothing is scanned for malware",
            "set [scan] clamd to where Debian's clamav-daemon listens: \"/run/clamav/clamd.ctl\"",
        ),
        Malware::Clean => findings.ok("scan", "clamd answers"),
        Malware::Found(name) => findings.error(
            "scan",
            format!("clamd takes a plain letter for malware ({name})"),
            "look at its signatures",
        ),
        Malware::Unknown => findings.error(
            "scan",
            "clamd does not answer: filter.not_scanned_in and filter.not_scanned_out say what becomes of mail meanwhile",
            "systemctl status clamav-daemon; [scan] clamd is its socket, which the user congthu may open",
        ),
    }
    match &said.spam {
        Spam::NotAsked => findings.warn(
            "scan",
            "nothing is looked at for spam",
            "set [scan] rspamd to where rspamd's normal worker listens: \"127.0.0.1:11333\"",
        ),
        Spam::Scored(_) => findings.ok("scan", "rspamd answers"),
        Spam::Unknown => findings.error(
            "scan",
            "rspamd does not answer: filter.not_scored_in and filter.not_scored_out say what becomes of mail meanwhile",
            "systemctl status rspamd; [scan] rspamd is its normal worker",
        ),
    }
}

/// What is too large to be scanned is put off, and is no smaller when it comes again.
fn judge_sizes(takes: Option<bool>, (scanned, taken): (u64, u64), findings: &mut Findings) {
    let (scanned_mb, taken_mb) = (scanned.div_ceil(MB), taken.div_ceil(MB));
    if scanned < taken {
        findings.error(
            "scan",
            format!("[scan] clamd_size is {scanned_mb} MB, and messages may have {taken_mb} MB: larger ones are never scanned"),
            format!("clamd_size = \"{taken_mb}MB\" at least, or a smaller message_size in [limits]"),
        );
    }
    match takes {
        Some(true) => findings.ok("scan", format!("clamd takes {scanned_mb} MB at once, as [scan] clamd_size says")),
        Some(false) => findings.error(
            "scan",
            format!(
                "clamd takes less than the {scanned_mb} MB of [scan] clamd_size: what has more than its StreamMaxLength is never \
                 scanned, and put off each time it comes"
            ),
            format!("StreamMaxLength {scanned_mb}M in /etc/clamav/clamd.conf (MaxScanSize and MaxFileSize too), then systemctl restart clamav-daemon"),
        ),
        None => findings.warn("scan", "clamd does not say how large a message it takes", "try again later"),
    }
}

fn judge_learner(may_teach: Result<bool, String>, findings: &mut Findings) {
    match may_teach {
        Ok(true) => findings.ok("scan", "rspamd lets itself be taught"),
        Ok(false) => findings.error(
            "scan",
            "rspamd does not let itself be taught what users say of mail",
            "[scan] rspamd_password_file has its controller's enable_password (password, where there is none), or secure_ip there has this machine",
        ),
        Err(error) => findings.error(
            "scan",
            format!("rspamd cannot be taught what users say of mail: {error}"),
            "[scan] rspamd_learn is its controller, \"127.0.0.1:11334\"",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, as_text};
    use super::*;
    use std::io::{Read as _, Write as _};

    async fn said(text: &str) -> (usize, usize, String) {
        let mut findings = Findings::default();
        look(&Config::parse(text, "test").unwrap(), &mut findings).await;
        (findings.count(Level::Warning), findings.count(Level::Error), as_text(&findings))
    }

    #[tokio::test]
    async fn scanners_that_are_missing_or_dead_are_said() {
        let (warnings, errors, text) = said("").await;
        assert_eq!((warnings, errors), (2, 0), "{text}");
        assert!(text.contains("nothing is scanned for malware") && text.contains("[scan] rspamd"), "{text}");

        // Nobody listens there any more.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (warnings, errors, text) =
            said(&format!("[scan]\nclamd = \"{free}\"\nrspamd = \"{free}\"\n")).await;
        assert_eq!((warnings, errors), (0, 2), "{text}");
        assert!(text.contains("clamd does not answer") && text.contains("rspamd does not answer"), "{text}");
    }

    #[tokio::test]
    async fn a_filter_that_cannot_be_taught_is_said() {
        for (answer, errors, expected) in [
            ("HTTP/1.0 200 OK\r\n\r\n{\"auth\":\"ok\"}", 0, "rspamd lets itself be taught"),
            ("HTTP/1.0 200 OK\r\n\r\n{\"auth\":\"ok\",\"read_only\":true}", 1, "enable_password"),
            ("HTTP/1.0 403 no\r\n\r\n", 1, "does not let itself be taught"),
            ("HTTP/1.0 404 no\r\n\r\n", 1, "not rspamd's controller"),
            ("220 mail ESMTP\r\n", 1, "did not answer in HTTP"),
        ] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let rspamd = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut got = Vec::new();
                while !got.ends_with(b"\r\n\r\n") {
                    let mut piece = [0; 512];
                    let length = stream.read(&mut piece).unwrap();
                    assert!(length > 0);
                    got.extend_from_slice(&piece[..length]);
                }
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8(got).unwrap()
            });
            let (_, found, text) = said(&format!("[scan]\nrspamd_learn = \"{address}\"\n")).await;
            assert!(rspamd.join().unwrap().starts_with("GET /auth HTTP/1.0\r\n"));
            assert_eq!(found, errors, "{text}");
            assert!(text.contains(expected), "{text}");
        }
    }

    #[tokio::test]
    async fn a_scanner_that_answers_is_said_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let clamd = std::thread::spawn(move || {
            // About the letter; then twice about the largest message, the length of which is all that comes of it.
            for (end, answer) in [
                (&[0; 4][..], &b"stream: OK\0"[..]),
                (b"zINSTREAM\0\x06\x40\0\0", b""),
                (&[0; 4], b"stream: OK\0"),
                (b"zINSTREAM\0\x01\x90\0\0", b"INSTREAM size limit exceeded. ERROR\0"),
            ] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut got = Vec::new();
                while !got.ends_with(end) {
                    let mut piece = [0; 512];
                    let length = stream.read(&mut piece).unwrap();
                    assert!(length > 0, "it ends with {end:?}, not with {got:?}");
                    got.extend_from_slice(&piece[..length]);
                }
                stream.write_all(answer).unwrap();
            }
        });
        let configured = format!("[scan]\nclamd = \"{address}\"\n");
        let (warnings, errors, text) = said(&configured).await;
        assert_eq!((warnings, errors), (1, 0), "{text}");
        assert!(text.contains("clamd answers") && text.contains("clamd takes 100 MB at once"), "{text}");
        let (_, errors, text) = said(&format!("{configured}clamd_size = \"25MB\"\n")).await;
        clamd.join().unwrap();
        assert_eq!(errors, 2, "{text}");
        assert!(text.contains("clamd_size = \"70MB\" at least"), "{text}");
        assert!(text.contains("StreamMaxLength 25M in /etc/clamav/clamd.conf"), "{text}");
    }
}
