//! Facts of any message: offsets lie within it, texts can be decoded, and what is kept can be read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::mime::{self, Envelope, Structure};

fuzz_target!(|raw: &[u8]| {
    let facts = mime::facts(raw);
    let size = raw.len() as u64;
    for part in facts.structure.parts() {
        assert!(
            part.header_start <= part.body_start && part.body_start <= part.body_end && part.body_end <= size
        );
        let body = &raw[part.body_start as usize..part.body_end as usize];
        let _ = mime::decode_text(part, body);
        for child in facts.structure.children(part) {
            assert!(
                part.body_start <= child.header_start && child.body_end <= part.body_end,
                "a child outside"
            );
        }
    }
    let starts = facts.body_starts(1);
    assert!(starts.is_sorted() && starts.iter().all(|start| *start <= size));
    assert!(mime::header_end(raw) <= raw.len());
    assert!(facts.preview.chars().count() <= 256);
    assert_eq!(Structure::from_bytes(&facts.structure.to_bytes()).as_ref(), Some(&facts.structure));
    assert_eq!(Envelope::from_bytes(&facts.envelope.to_bytes()).as_ref(), Some(&facts.envelope));
});
