//! What mail programs really say: each file in `transcripts/clients` is a record made by `tests/clients/run`, named after the
//! program and its version and trimmed to what matters.

use crate::world::Province;

macro_rules! transcripts {
    ($($name:ident: $file:literal),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/clients/", $file);
            testkit::transcript::check(file, async || Province::new().await).await;
        }
    )*};
}

transcripts!(
    aioimaplib: "aioimaplib-2.0.1.txt",
    claws_mail: "claws-mail-4.1.1.txt",
    curl: "curl-7.88.1.txt",
    evolution: "evolution-3.46.4.txt",
    imapclient: "imapclient-3.0.1.txt",
    mail_imapclient: "mail-imapclient-3.43.txt",
    mbsync: "mbsync-1.4.4.txt",
    mutt: "mutt-2.2.12.txt",
    offlineimap: "offlineimap-8.0.0.txt",
    starttls: "starttls.txt",
    thunderbird: "thunderbird-153.7.0esr.txt",
);
