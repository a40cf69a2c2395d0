//! Messages whose text is the attack: encodings, charsets, line ends, noise, and real mail that was damaged.

use super::prng::Mail;

const LABELS: &[&str] = &[
    "utf-8",
    "us-ascii",
    "utf-7",
    "unicode-1-1-utf-7",
    "utf-16",
    "utf-16be",
    "utf-16le",
    "utf-32",
    "viscii",
    "tcvn3",
    "x-viet-tcvn",
    "x-viet-vps",
    "x-viet-vni",
    "windows-1258",
    "iso-2022-jp",
    "iso-2022-kr",
    "gb18030",
    "big5",
    "euc-kr",
    "hz-gb-2312",
    "replacement",
    "x-user-defined",
    "",
    "x-nobody-knows",
    "utf-8\0",
    "\"utf-8",
    "?",
];

fn text_part(mail: &mut Mail<'_>, encoding: &str) {
    let subtype = mail.rng.pick(&["plain", "html", "plain", "calendar"]);
    let label = mail.rng.pick(LABELS);
    mail.push(format!("Content-Type: text/{subtype}; charset={label}\r\n"));
    mail.push(format!("Content-Transfer-Encoding: {encoding}\r\n\r\n"));
}

pub(super) fn base64_garbage(mail: &mut Mail<'_>) {
    text_part(mail, "base64");
    mail.flood(|mail, _| {
        mail.pick(&[
            "4bq/",
            "=",
            "====",
            "a",
            "\r\n",
            "*",
            "4bq/4bq/4bq/4bq/4bq/",
            "-_",
            "\0",
            " ",
            "AA==BB=C",
            "/w==",
        ]);
        if mail.rng.one_in(20) {
            let noise = mail.rng.bytes(64);
            mail.push(noise);
        }
    });
}

pub(super) fn quoted_garbage(mail: &mut Mail<'_>) {
    text_part(mail, "quoted-printable");
    mail.flood(|mail, _| {
        mail.pick(&[
            "=E1=BB=87",
            "=",
            "==",
            "=\r\n",
            "=\n",
            "=\r",
            "=4",
            "=GG",
            " \t \r\n",
            "=00",
            "=0D=0A",
            "x",
            "=ff=",
        ]);
        if mail.rng.one_in(50) {
            mail.push(" ".repeat(2_000));
        }
    });
}

/// Octets that are right for one charset under the label of another.
pub(super) fn charset_abuse(mail: &mut Mail<'_>) {
    mail.push("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    let part = mail.rng.pick(&[200, 20_000, 2_000_000]).min(mail.size);
    mail.fill(|mail, _| {
        mail.push("\r\n--b\r\n");
        text_part(mail, "8bit");
        let end = mail.out.len() + part;
        let kind = mail.rng.below(6);
        while mail.out.len() < end {
            match kind {
                0 => mail.pick(&["+AGE-", "+", "+-", "+2D3eCg", "-", "+////", "\u{1ec7}"]),
                1 => mail.push(b"\x1B$B\x24\x22\x1B(B\x1B\x0E\x0F~{~}~"),
                2 => mail.push([0xD8, 0x00, 0xFE, 0xFF, 0xDC, 0x0A, 0x00]),
                3 => mail.push(b"A\xD9\xE2e\xC1\xC1o\xD5u\xCF\xB0\xB5\xD6\xF1"),
                4 => mail.push(b"\xC3\x28\xE1\xBB\xF0\x9F\xED\xA0\x80\xFF\xC0\x80"),
                _ => {
                    let noise = mail.rng.bytes(200);
                    mail.push(noise)
                }
            };
        }
    });
}

/// Letters under thousands of marks, of classes in the wrong order: the worst case of normalisation.
pub(super) fn combining_marks(mail: &mut Mail<'_>) {
    if mail.rng.one_in(2) {
        mail.push("Content-Type: text/plain; charset=utf-8\r\n\r\n");
    } else {
        mail.push("Subject: ");
    }
    let one_letter = mail.rng.one_in(2);
    mail.push("e");
    mail.flood(|mail, _| {
        mail.pick(&[
            "\u{301}",
            "\u{323}",
            "\u{302}",
            "\u{31B}",
            "\u{345}",
            "\u{327}",
            "\u{1D165}",
            "\u{5B0}",
        ]);
        if !one_letter && mail.rng.one_in(30) {
            mail.pick(&[
                "a",
                "\u{1ec7}",
                "\u{1100}\u{1161}",
                "\u{FB1D}",
                "\u{1D160}",
                "\u{FDFA}",
                "\u{202E}",
                "\u{344}",
            ]);
        }
    });
}

pub(super) fn html(mail: &mut Mail<'_>) {
    mail.push("Content-Type: text/html; charset=utf-8\r\n\r\n");
    let only = if mail.rng.one_in(2) { Some(mail.rng.below(HTML.len())) } else { None };
    mail.flood(|mail, _| {
        match only {
            Some(index) => mail.push(HTML[index].repeat(16)),
            None => mail.pick(HTML),
        };
    });
}

const HTML: &[&str] = &[
    "<",
    "&",
    "<!--",
    "-->",
    "<style>",
    "</style",
    "<script>",
    "</",
    "<a",
    "&#x1EC7;",
    "&#xFFFFFFFFF;",
    "&#;",
    "&ecirc;",
    "<title>",
    "</title>",
    ">",
    "<p>text</p>",
    "<td",
    "<!",
    "<?",
    "\u{1ec7}",
    "&amp",
    "<div><div>",
    "</style\u{1ec7}",
];

/// Octets that some take for line ends and some do not, and those that end strings.
pub(super) fn line_ends(mail: &mut Mail<'_>) {
    let ends = mail.rng.pick(&["\r", "\n", "\0", "\r\r\n", "\n\r", "\u{85}", "\u{2028}", "\x0B", "\x0C"]);
    mail.push("Content-Type: multipart/mixed; boundary=b").push(ends).push(ends);
    mail.flood(|mail, _| {
        mail.pick(&[
            "--b",
            "Subject: x",
            "",
            "text",
            "--b--",
            ".",
            "..",
            "Content-Type: message/rfc822",
            " folded",
        ]);
        mail.push(ends);
        if mail.rng.one_in(3) {
            mail.pick(&["\r\n", "\n", "\r", "\0", "\r\n\r\n"]);
        }
    });
}

pub(super) fn noise(mail: &mut Mail<'_>) {
    if mail.rng.one_in(2) {
        mail.push("Content-Type: multipart/mixed; boundary=\"\0\"\r\n\r\n--\0\r\n");
    }
    let sparse = mail.rng.one_in(2);
    mail.fill(|mail, _| {
        let mut noise = mail.rng.bytes(4_096);
        if sparse {
            noise.iter_mut().for_each(|byte| *byte = b"\r\n\0 :-;=\xFFa"[usize::from(*byte % 10)]);
        }
        mail.push(noise);
    });
}

pub(super) fn one_line(mail: &mut Mail<'_>) {
    mail.pick(&[
        "\r\n",
        "",
        "A: b\r\n\r\n",
        "Content-Type: text/html\r\n\r\n",
        "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x",
    ]);
    let unit = mail.rng.pick(&["x", "-", " ", "x:", "--x", "\r", "=", "\u{1ec7}", "\0"]);
    mail.fill(|mail, _| {
        mail.push(unit.repeat(1_024));
    });
}

/// Mail as it comes, one after another as attached messages, then damaged at random places.
pub(super) fn mutated(mail: &mut Mail<'_>) {
    mail.push("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n");
    mail.fill(|mail, _| {
        mail.push("\r\n--outer\r\nContent-Type: message/rfc822\r\n\r\n");
        mail.pick(REAL);
    });
    let rounds = mail.out.len() / (50 + mail.rng.below(5_000));
    for _ in 0..rounds {
        let at = mail.rng.below(mail.out.len());
        match mail.rng.below(4) {
            0 => mail.out[at] ^= 1 << mail.rng.below(8),
            1 => mail.out[at] = mail.rng.byte(),
            2 => {
                let other = mail.rng.below(mail.out.len());
                mail.out.swap(at, other);
            }
            _ => {
                // A piece of somewhere else.
                let length = mail.rng.below(40).min(mail.out.len() - at);
                let from = mail.rng.below(mail.out.len() - length + 1);
                mail.out.copy_within(from..from + length, at);
            }
        }
    }
}

const REAL: &[&str] = &[
    "Received: from mx.example (mx.example [192.0.2.1])\r\n\tby mail.example with ESMTPS id 4x;\r\n\tWed, 7 Feb 2024 08:00:00 +0700\r\n\
     From: =?UTF-8?B?Vsaw4budbmcgUXXhu5Fj?= <a@b.example>\r\nTo: =?utf-8?Q?S=E1=BB=9F_T=C3=A0i_ch=C3=ADnh?= <so@c.example>, \"X, Y\" <x@y>\r\n\
     Subject: =?UTF-8?Q?C=C3=B4ng_v=C4=83n_s=E1=BB=91_12?=\r\n =?UTF-8?Q?/UBND-VP?=\r\nDate: Wed, 07 Feb 2024 08:00:00 +0700\r\n\
     Message-ID: <1@b.example>\r\nReferences: <0@b.example>\r\n <00@b.example>\r\nMIME-Version: 1.0\r\n\
     Content-Type: multipart/mixed; boundary=\"=_1\"\r\n\r\n--=_1\r\nContent-Type: multipart/alternative;\r\n boundary=\"=_2\"\r\n\r\n\
     --=_2\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nK=C3=ADnh g=E1=BB=ADi =\r\nanh.\r\n\
     --=_2\r\nContent-Type: text/html; charset=UTF-8\r\n\r\n<style>p{}</style><p>K\u{ed}nh g\u{1eed}i&nbsp;anh.</p>\r\n--=_2--\r\n\
     --=_1\r\nContent-Type: application/pdf; name=\"=?utf-8?Q?c=C3=B4ng_v=C4=83n.pdf?=\"\r\n\
     Content-Disposition: attachment;\r\n filename*0*=utf-8''c%C3%B4ng%20v;\r\n filename*1*=%C4%83n.pdf\r\n\
     Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9GbGF0\r\nZURlY29kZT4+\r\n--=_1--\r\n",
    "From: MAILER-DAEMON@a.example (Mail Delivery System)\r\nSubject: Undelivered Mail\r\nContent-Type: multipart/report;\r\n\
     \treport-type=delivery-status; boundary=\"r/a.example\"\r\n\r\nThis is MIME.\r\n\r\n--r/a.example\r\nContent-Description: Notification\r\n\
     Content-Type: text/plain; charset=us-ascii\r\n\r\nI'm sorry.\r\n\r\n--r/a.example\r\nContent-Type: message/delivery-status\r\n\r\n\
     Reporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; b@c\r\nAction: failed\r\n\r\n--r/a.example\r\n\
     Content-Type: message/rfc822\r\n\r\nFrom: x@a.example\r\nTo: b@c\r\nSubject: hi\r\n\r\ntext\r\n--r/a.example--\r\n",
    "From x@y Thu Jan  1 00:00:00 1998\r\nFrom: \"Tr\u{1ea7}n\" <t@c.example>\r\nTo: undisclosed-recipients:;\r\n\
     Subject: Vi\u{1ec7}t\r\nContent-Type: text/plain; charset=x-viet-tcvn3\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain\r\n",
];
