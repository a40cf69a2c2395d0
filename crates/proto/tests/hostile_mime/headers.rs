//! Messages whose header is the attack: many fields, long fields, and every structure that may stand in one.

use super::prng::Mail;

const NAMES: &[&str] = &[
    "From",
    "To",
    "Cc",
    "Bcc",
    "Sender",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Received",
    "Content-Type",
    "Content-Disposition",
    "Content-ID",
    "Content-Language",
    "Content-Transfer-Encoding",
    "Content-Description",
    "Content-MD5",
    "Content-Location",
    "X-Spam",
    "",
    "from ",
    "SUBJECT\t",
    "C\u{f4}ng-v\u{103}n",
];
const ADDRESS_FIELDS: &[&str] = &["From", "To", "Cc", "Bcc", "Sender", "Reply-To"];
const MIME_FIELDS: &[&str] = &["Content-Type: text/plain", "Content-Disposition: attachment"];
const CHARSETS: &[&str] = &[
    "utf-8",
    "UTF-8*vi",
    "us-ascii",
    "iso-8859-1",
    "windows-1258",
    "viscii",
    "tcvn3",
    "x-viet-vps",
    "x-viet-vni",
    "utf-7",
    "utf-16",
    "utf-16le",
    "iso-2022-jp",
    "gb18030",
    "hz-gb-2312",
    "replacement",
    "x-nobody",
    "\u{1ec7}",
    "*",
    "'\"",
    "",
];

fn begin(mail: &mut Mail<'_>, fields: &[&str]) {
    mail.pick(fields);
    mail.push(if fields == MIME_FIELDS { "" } else { ": " });
}

/// Ends the field that filled the message: with a body, without, or not at all.
fn end(mail: &mut Mail<'_>) {
    mail.pick(&["\r\n\r\nbody\r\n", "\r\nSubject: behind\r\n\r\n", "\r\n", "", "\n \n\t\n\nbody"]);
}

fn fold(mail: &mut Mail<'_>) {
    if mail.rng.one_in(3) {
        mail.pick(&["\r\n ", "\n\t", "\r\n\t \r\n ", " ", "\r"]);
    }
}

pub(super) fn field_flood(mail: &mut Mail<'_>) {
    let value = mail.rng.pick(&["", "a", "a@b", "<a@b>", "text/plain; x=y", "1 Jan 2024", "=?utf-8?Q?a?="]);
    mail.flood(|mail, _| {
        begin(mail, NAMES);
        mail.push(value);
        fold(mail);
        mail.push("\r\n");
    });
}

/// One field as large as the message, of one kind of octet.
pub(super) fn one_field(mail: &mut Mail<'_>) {
    begin(mail, NAMES);
    let unit = mail.rng.pick(&[
        "x", " ", "\t", "\0", "\r", "\r\n ", "<", "\"", "\\", "(", ";", ",", "=", "?", "=?", "\u{1ec7}", "'",
        "%", "*", ":", "<a@b>", "--b\r\n ", "@", "[",
    ]);
    mail.fill(|mail, _| {
        mail.push(unit.repeat(256));
    });
    end(mail);
}

pub(super) fn addresses(mail: &mut Mail<'_>) {
    let many_fields = mail.rng.one_in(2);
    begin(mail, ADDRESS_FIELDS);
    mail.flood(|mail, round| {
        mail.pick(&[
            "a@b.example,",
            "Nguy\u{1ec5}n V\u{103}n A <a@b.example>,",
            "\"A, \\\"B\\\"\" <a@b>,",
            "<@r,@s:a@b>,",
            "a@[IPv6:::1],",
            "=?utf-8?Q?=E1=BB=87?= <a@b>,",
            "<",
            "a b c d@e,",
            ",,,,",
            "\"open <a@b>,",
            "<\"a b\"@c>,",
            "a <b@c,",
            "(c) a@b (d),",
            "@@@,",
            "a@b@c,",
            "[",
            "]",
            ">",
            "\0@\0,",
        ]);
        fold(mail);
        if many_fields && round % 50 == 49 {
            mail.push("\r\n");
            begin(mail, ADDRESS_FIELDS);
        }
    });
    end(mail);
}

/// Groups that are never closed, closed twice, inside each other.
pub(super) fn groups(mail: &mut Mail<'_>) {
    begin(mail, ADDRESS_FIELDS);
    mail.flood(|mail, _| {
        mail.pick(&["g:", "a@b,", ";", "G H:a@b,", ":;", "\"g\":", "::", "g(:;):", "<a:b@c>", ";;;"]);
        fold(mail);
    });
    end(mail);
}

pub(super) fn comments(mail: &mut Mail<'_>) {
    if mail.rng.one_in(2) {
        begin(mail, ADDRESS_FIELDS);
    } else {
        begin(mail, MIME_FIELDS);
        mail.push(";");
    }
    let deep = mail.rng.one_in(2);
    mail.flood(|mail, _| {
        if deep {
            mail.push("(((((((((((((((((((((((((((((((((((((((((((((((((");
        }
        mail.pick(&[
            "(",
            "(a",
            "(\\",
            "\\)",
            ")",
            "(a(b(c)))",
            "(\")\"",
            "x",
            ";n=",
            "a@b(",
            ",",
            "()",
            "\r\n (",
        ]);
    });
    end(mail);
}

/// Encoded words: whole, split inside characters, cut off, with charsets that do not exist.
pub(super) fn encoded_words(mail: &mut Mail<'_>) {
    begin(mail, &["Subject", "From", "Content-Description", "Content-Type: a/b; name"]);
    mail.push("=");
    let huge = mail.rng.one_in(4);
    mail.flood(|mail, _| {
        mail.push("=?");
        mail.pick(CHARSETS);
        mail.pick(&["?Q?", "?B?", "?q?", "?b?", "?X?", "?", "??", "?Q", "?QB?"]);
        let length = if huge { 100_000 } else { mail.rng.below(80) };
        match mail.rng.below(4) {
            0 => {
                mail.push("4bq/".repeat(length / 4));
            }
            1 => {
                mail.push("=E1=BB".repeat(length / 6));
            }
            2 => {
                mail.push("+2D3_=?=".repeat(length / 8));
            }
            _ => {
                let noise = mail.rng.bytes(length);
                let seven_bits: Vec<u8> = noise.iter().map(|byte| b'!' + byte % 90).collect();
                mail.push(seven_bits);
            }
        }
        mail.pick(&["?=", "?= ", "?=\r\n ", "?", "=", "", "?==?", "?=?="]);
    });
    end(mail);
}

/// RFC 2231 pieces: out of order, twice, with gaps, with numbers that no integer holds.
pub(super) fn continuations(mail: &mut Mail<'_>) {
    begin(mail, MIME_FIELDS);
    let ordered = mail.rng.one_in(2);
    let long = "%E1%BB%87".repeat(mail.rng.below(600));
    mail.fill(|mail, round| {
        let number = if ordered { round } else { mail.rng.below(200) };
        mail.push(";");
        fold(mail);
        mail.pick(&["name*", "filename*", "n*", "*"]);
        match mail.rng.below(if ordered { 12 } else { 4 }) {
            0 => mail.pick(&[
                "0*",
                "00",
                "-1",
                "4294967295",
                "4294967296*",
                "99999999999999999999",
                "*",
                "1*1",
                "",
            ]),
            1 => mail.push(format!("{}", number + 1)),
            _ => mail.push(format!("{number}*")),
        };
        mail.push("=");
        mail.pick(&["utf-8''%E1", "%BB%87", "\"plain\"", "'''", "%", "%4", "x", "", "\"", "us-ascii'vi'%FF"]);
        if mail.rng.one_in(16) {
            mail.push(&long);
        }
    });
    end(mail);
}

pub(super) fn parameters(mail: &mut Mail<'_>) {
    begin(mail, MIME_FIELDS);
    let long = "p".repeat(mail.rng.below(300));
    mail.flood(|mail, round| {
        mail.push(";");
        fold(mail);
        match mail.rng.below(4) {
            0 => mail.push("boundary"),
            1 => mail.push(&long),
            2 => mail.pick(&["name", "charset", "=", "\"", "", "p(c)", "filename"]),
            _ => mail.push(format!("p{round}")),
        };
        mail.pick(&["=", " = ", "", "=(c)", "=="]);
        mail.pick(&["v", "\"v\"", "\"a\\\"b;c\"", "\"open", "a b (1).pdf", "", "=?utf-8?Q?a?=", "\\"]);
    });
    end(mail);
}

/// Lines that are no fields, in a header that never ends.
pub(super) fn junk_header(mail: &mut Mail<'_>) {
    mail.flood(|mail, _| {
        let noise = mail.rng.below(120);
        let noise = mail.rng.bytes(noise);
        match mail.rng.below(4) {
            0 => {
                begin(mail, NAMES);
                mail.push(noise);
            }
            1 => {
                mail.push(noise);
            }
            _ => {
                mail.pick(&[
                    "no colon",
                    " folded",
                    ":",
                    "\0:",
                    "\r",
                    "From me Thu",
                    ">From",
                    "\u{1ec7}: x",
                    "a b: c",
                ]);
            }
        }
        mail.pick(&["\r\n", "\n", "\r\r\n"]);
    });
}
