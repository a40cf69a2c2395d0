//! Messages whose parts are the attack: depth, breadth and boundaries.

use super::prng::Mail;

const CONTAINERS: &[&str] =
    &["mixed", "alternative", "related", "digest", "signed", "report", "x-unheard-of"];

fn open_multipart(mail: &mut Mail<'_>, boundary: &str) {
    let subtype = mail.rng.pick(CONTAINERS);
    mail.push(format!("Content-Type: multipart/{subtype}; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"));
}

/// Each inside the last, each with a boundary of its own; closed again or not.
pub(super) fn deep_multiparts(mail: &mut Mail<'_>) {
    let closes = mail.rng.one_in(2);
    let size = mail.size;
    if closes {
        mail.size /= 2;
    }
    let mut depth = 0;
    mail.fill(|mail, level| {
        open_multipart(mail, &format!("level{level}"));
        depth = level;
    });
    mail.push("\r\nthe innermost\r\n");
    mail.size = size;
    for level in (0..=depth).rev().filter(|_| closes) {
        mail.push(format!("\r\n--level{level}--\r\n"));
    }
}

pub(super) fn deep_messages(mail: &mut Mail<'_>) {
    mail.fill(|mail, level| {
        mail.pick(&[
            "Content-Type: message/rfc822\r\n\r\n",
            "Content-Type: message/global\r\n\r\n",
            "From: a@b.example\r\nContent-Type: message/rfc822; name=x.eml\r\n\r\n",
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        ]);
        if level % 40 == 30 {
            open_multipart(mail, "between");
        }
    });
}

/// Every level has the same boundary, so that every delimiter fits all of them.
pub(super) fn same_boundary(mail: &mut Mail<'_>) {
    mail.flood(|mail, _| {
        open_multipart(mail, "same");
        if mail.rng.one_in(4) {
            mail.pick(&["\r\n--same--\r\n", "\r\n--same\r\n\r\ntext\r\n", "--same--same--\r\n"]);
        }
    });
}

/// Boundaries that are beginnings of each other, open at the same time, and lines that may be any of them.
pub(super) fn prefix_boundaries(mail: &mut Mail<'_>) {
    for length in 1..=45 {
        let length = if mail.rng.one_in(2) { length } else { 46 - length };
        open_multipart(mail, &"-".repeat(length * 5));
    }
    mail.flood(|mail, _| {
        let dashes = mail.rng.below(260);
        mail.push("-".repeat(dashes));
        mail.pick(&["\r\n", "\n", "--\r\n", " \r\n", "x\r\n", "\r\n\r\n", "\r\n\r\ntext\r\n"]);
    });
}

/// A random tree: containers open, close and are forgotten in any order.
pub(super) fn tangle(mail: &mut Mail<'_>) {
    open_multipart(mail, "n0");
    let mut open = vec!["n0".to_owned()];
    mail.flood(|mail, round| {
        let innermost = open.last().cloned().unwrap_or_default();
        match mail.rng.below(8) {
            0 if open.len() < 60 => {
                let name = format!("n{}", round % 97);
                open_multipart(mail, &name);
                open.push(name);
            }
            1 => {
                mail.push(format!("\r\n--{innermost}--\r\n"));
                open.truncate(open.len().saturating_sub(1).max(1));
            }
            2 => {
                let outer = mail.rng.below(open.len());
                let outer = open[outer].clone();
                mail.push(format!("\r\n--{outer}\r\n"));
            }
            3 => {
                mail.push("Content-Type: message/rfc822\r\n\r\nSubject: inside\r\nTo: a@b, c@d\r\n");
            }
            4 => {
                mail.push("Content-Type: application/pdf; name=a.pdf\r\n")
                    .push("Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n");
            }
            _ => {
                mail.push(format!("--{innermost}\r\n"));
                mail.pick(&["\r\ntext\r\n", "no header\r\n", "A: b\r\n", "\r\n", "Content-Type: text/html\r\n\r\n<p>"]);
            }
        }
    });
}

/// As many parts as there is room for.
pub(super) fn part_flood(mail: &mut Mail<'_>) {
    open_multipart(mail, "b");
    let part = mail.rng.pick(&[
        "--b\n",
        "--b\r\n\r\n",
        "--b\r\n\r\nx\r\n",
        "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n",
        "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n",
        "--b\r\nContent-Type: message/rfc822\r\n\r\n\r\n",
        "--b\r\nContent-Type: application/x\r\nContent-Disposition: attachment; filename=a\r\n\r\n",
        "--b\r\nContent-Type: text/html\r\nContent-Language: vi, en, fr\r\n\r\n<p>\r\n",
    ]);
    mail.flood(|mail, _| {
        mail.push(part);
    });
}

/// A digest of messages that have big envelopes: what is kept of all together must stay small.
pub(super) fn envelope_flood(mail: &mut Mail<'_>) {
    mail.push("Content-Type: multipart/digest; boundary=b\r\n\r\n");
    let (address, count) = mail.rng.pick(&[("a,", 5_000), ("a@b,", 900), (":;", 2_000), ("(x)a <b@c>,", 60)]);
    let field = mail.rng.pick(&["From", "To", "Sender", "Reply-To"]);
    mail.fill(|mail, _| {
        mail.push(format!("--b\r\n\r\n{field}: {}\r\nSubject: digest\r\n\r\nx\r\n", address.repeat(count)));
    });
}

/// Parts with as many parameters as are kept, each as short as can be.
pub(super) fn parts_of_parameters(mail: &mut Mail<'_>) {
    mail.push("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    let digits = b"abcdefghijklmnop";
    let params: Vec<u8> = (0..128).flat_map(|n| [b';', digits[n / 16], digits[n % 16], b'=']).collect();
    let language = mail.rng.one_in(2);
    mail.fill(|mail, _| {
        mail.push("--b\r\nContent-Type: a/b").push(&params);
        mail.push("\r\nContent-Disposition: inline").push(&params).push("\r\n");
        if language {
            mail.push("Content-Language: ").push("a,".repeat(32)).push("\r\n");
        }
        mail.push("\r\nx\r\n");
    });
}

/// Lines that begin as a delimiter does and are none, or are one only just.
pub(super) fn boundary_like_lines(mail: &mut Mail<'_>) {
    let boundary = mail.rng.pick(&["b", "=_NextPart_000_0001", "-", "--", "a b", "b\\\"c", "'()+_,-./:=?"]);
    open_multipart(mail, boundary);
    let long = "x".repeat(mail.rng.below(300));
    mail.flood(|mail, _| {
        mail.pick(&["--", "-", "\r\n--", "\r--", "---", " --", "\0--"]);
        if mail.rng.one_in(2) {
            mail.push(boundary);
        }
        if mail.rng.one_in(8) {
            mail.push(&long);
        }
        mail.pick(&["\n", "\r\n", "--\n", " \t\n", "-\r\n", "--b\r\n", "\r", "\r\r\n", ":\r\n\r\n"]);
    });
}
