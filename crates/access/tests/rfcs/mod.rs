//! The examples of the RFCs: each file in `transcripts/imap/rfc` holds every one of its RFC, in its words but for numbers
//! and names that cannot be the same here, and says which are not ours and why.
//!
//! What is announced is held to have examples (`# capability:` in a transcript) and to stand in
//! `docs/imap-capabilities.md`, both ways.

mod announced;

use crate::world::Province;

macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {
        /// What is run, to be held against what is there.
        const RUN: &[&str] = &[$(stringify!($name)),*];
        $(
            // One thread: its clock can be moved.
            #[tokio::test]
            async fn $name() {
                let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/imap/rfc/", stringify!($name), ".txt");
                testkit::transcript::check(file, async || Province::new().await).await;
            }
        )*
    };
}

transcripts!(
    rfc2177,
    rfc2342,
    rfc2971,
    rfc3348,
    rfc3501,
    rfc3502,
    rfc3691,
    rfc4314,
    rfc4315,
    rfc4616,
    rfc4731,
    rfc4959,
    rfc4978,
    rfc5032,
    rfc5161,
    rfc5182,
    rfc5256,
    rfc5258,
    rfc5267,
    rfc5819,
    rfc5957,
    rfc6154,
    rfc6851,
    rfc6855,
    rfc7162_condstore,
    rfc7162_qresync,
    rfc7888,
    rfc7889,
    rfc8438,
    rfc8440,
    rfc8474,
    rfc8514,
    rfc8970,
    rfc9051,
    rfc9208,
    rfc9585,
);
