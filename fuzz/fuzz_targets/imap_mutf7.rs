//! Modified UTF-7 of folder names: both ways give back what went in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::imap::{decode_utf7, encode_utf7};

fuzz_target!(|text: &str| {
    let encoded = encode_utf7(text);
    assert!(encoded.bytes().all(|octet| (0x20..0x7f).contains(&octet)), "{encoded:?}");
    assert_eq!(decode_utf7(&encoded).as_deref(), Some(text));
    if let Some(decoded) = decode_utf7(text) {
        assert_eq!(encode_utf7(&decoded), text, "a name has one spelling");
    }
});
