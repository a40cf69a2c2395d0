//! Reverse and forward paths: what is taken keeps to the limits, and what is left is the rest of the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::smtp::{LOCAL_PART_BYTES_MAX, Mailbox, PATH_BYTES_MAX, Recipient, forward_path, reverse_path};

fuzz_target!(|text: &str| {
    if let Ok((mailbox, rest)) = reverse_path(text) {
        assert!(text.ends_with(rest));
        if let Some(mailbox) = mailbox {
            check(&mailbox, PATH_BYTES_MAX);
        }
    }
    if let Ok((recipient, rest)) = forward_path(text) {
        assert!(text.ends_with(rest));
        if let Recipient::Mailbox(mailbox) = recipient {
            check(&mailbox, LOCAL_PART_BYTES_MAX);
        }
    }
});

fn check(mailbox: &Mailbox, local_bytes_max: usize) {
    let local = mailbox.local();
    assert!(!local.is_empty() && local.len() <= local_bytes_max);
    assert!(!local.contains(['\r', '\n', '\0']));
    assert_eq!(mailbox.is_international(), !format!("{local}@{}", mailbox.domain()).is_ascii());
}
