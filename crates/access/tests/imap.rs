//! IMAP conversations over a real engine: each file in `transcripts/imap`, whole and byte by byte.

mod clients;
mod edges;
mod rfcs;
mod world;

use world::Province;

macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/imap/", stringify!($name), ".txt");
            testkit::transcript::check(file, async || Province::new().await).await;
        }
    )*};
}

transcripts!(
    greeting,
    starttls,
    authenticate,
    select,
    fetch,
    store,
    concurrent,
    recent,
    idle,
    quota,
    search,
    search_extended,
    search_index,
    sort,
    thread,
    folders,
    list_extended,
    multiappend,
    utf8,
    mask,
    append,
    copy,
    unselect,
    bad,
    compress,
    ending,
    locked,
    condstore,
    qresync,
    enable,
    objectid,
    savedate,
    preview,
    binary,
    partial,
    shared,
);
