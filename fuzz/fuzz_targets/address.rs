//! Addresses of mailboxes: what is accepted is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Address;

fuzz_target!(|text: &str| {
    if let Ok(address) = text.parse::<Address>() {
        let written = address.to_string();
        assert_eq!(written.parse::<Address>().as_ref(), Ok(&address), "{written}");
        assert!(!written.contains(['\r', '\n', '\0']), "{written:?}");
    }
});
