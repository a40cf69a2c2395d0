//! Any octets are a Sieve script or an error with its place; whatever is a script runs over a message and ends.
#![no_main]

#[path = "shared/sieve.rs"]
mod shared;

use libfuzzer_sys::fuzz_target;
use proto::sieve::{ScriptError, compile};

const MESSAGE: &[u8] = b"Received: from a.test by b.test; Mon, 05 Oct 2026 09:05:00 +0700\r\n\
    From: Nguyen Van An <an@so.tinh.test>\r\nTo: Binh <binh+viec@tinh.test>\r\n\
    Subject: =?utf-8?Q?C=C3=B4ng_v=C4=83n?= 12/SNV\r\nDate: Mon, 05 Oct 2026 09:00:00 +0700\r\n\
    Message-ID: <1@so.tinh.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nK\xc3\xadnh g\xe1\xbb\xadi\r\n\
    --b\r\nContent-Type: text/html\r\n\r\n<p>ho so</p>\r\n--b--\r\n";

fuzz_target!(|source: &[u8]| {
    match (compile(source), compile(source)) {
        (Ok(script), Ok(again)) => {
            assert_eq!(format!("{script:?}"), format!("{again:?}"), "compiled twice, it is the same");
            let facts = proto::mime::facts(MESSAGE);
            let setting = shared::setting("an@so.tinh.test", 4);
            let mail = shared::mail(MESSAGE, &facts.structure);
            shared::follow(&[&script], mail, &setting, |_| false, |_| None);
        }
        (Err(error), Err(again)) => {
            assert_eq!(error, again, "compiled twice, it is the same");
            look_at(&error, source);
        }
        _ => panic!("compiled twice, it is not the same"),
    }
});

/// Its place is one of the text, or right behind it; it can be said to people.
fn look_at(error: &ScriptError, source: &[u8]) {
    let (line, column) = (error.line as usize, error.column as usize);
    let text = source.split(|octet| *octet == b'\n').nth(line.saturating_sub(1));
    let text = text.unwrap_or_else(|| panic!("no such line: {error}"));
    let characters = String::from_utf8_lossy(text).chars().count();
    assert!(line > 0 && (1..=characters + 1).contains(&column), "no such column: {error}");
    assert!(!error.problem.to_string().is_empty() && !error.vietnamese().is_empty());
}
