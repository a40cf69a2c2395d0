//! A store on a database of its own, with mailboxes made by SQL, thousands at a time where a test wants them.

use crate::{Endpoint, Event, NewChunk, NewContent, Placed, Store, Target, connect};
use jiff::Timestamp;
use model::{AccountId, FolderId};
use sqlx::{Connection as _, PgConnection};
use testkit::TestDatabase;

pub(super) struct World {
    pub(super) store: Store,
    pub(super) database: TestDatabase,
    pub(super) now: Timestamp,
}

impl World {
    pub(super) async fn new() -> Self {
        let database = testkit::database().await;
        let store = open(&database.server_url, 12).await;
        let now: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        store.check_timeline().await.unwrap();
        store.keep_event_months(now, 7).await.unwrap();
        Self { store, database, now }
    }

    pub(super) async fn superuser(&self) -> PgConnection {
        PgConnection::connect(&self.database.superuser_url).await.unwrap()
    }

    /// `count` mailboxes with an INBOX each, as delivery targets.
    pub(super) async fn mailboxes(&self, count: i32) -> Vec<Target> {
        let mut connection = self.superuser().await;
        sqlx::query("insert into domains (name, profile, created_at) values ('demo.gov.vn', 'an-giang', now()) on conflict do nothing")
            .execute(&mut connection)
            .await
            .unwrap();
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "with made as (
                 insert into accounts (domain_id, class, state, display_name, quota_bytes, password_change, created_at)
                 select domain_id, 'person', 'active', 'A', 1000000000, false, now()
                   from domains, generate_series(1, $1)
                 returning account_id
             ), counted as (
                 insert into counters (account_id) select account_id from made
             )
             insert into folders (account_id, name, uid_validity, modseq, flags_modseq, created_at)
             select account_id, 'INBOX', 1, 1, 1, now() from made
             returning account_id, folder_id",
        )
        .bind(count)
        .fetch_all(&mut connection)
        .await
        .unwrap();
        rows.into_iter()
            .map(|(account, folder)| Target {
                account: AccountId(account),
                folder: FolderId(folder),
                recipient: Some(format!("a{account}@demo.gov.vn")),
                room: None,
            })
            .collect()
    }

    pub(super) fn event(&self) -> Event<'static> {
        Event {
            at: self.now,
            kind: "received",
            trace: "1",
            account: None,
            remote: None,
            sender: Some(""),
            size: None,
            status: None,
            about: None,
        }
    }

    /// Stores the pieces as chunks and describes them as a content.
    pub(super) async fn content(&self, pieces: &[&[u8]]) -> NewContent {
        let chunks: Vec<NewChunk<'_>> =
            pieces.iter().map(|bytes| NewChunk { hash: *blake3::hash(bytes).as_bytes(), bytes }).collect();
        let chunk_ids = self.store.write_chunks(&chunks, self.now).await.unwrap();
        described(chunk_ids, pieces)
    }

    pub(super) async fn deliver(&self, pieces: &[&[u8]], to: &[Target]) -> Vec<Placed> {
        let content = self.content(pieces).await;
        let mut tx = self.store.begin().await.unwrap();
        let (id, placed) = tx.accept(&content, to, &self.event()).await.unwrap();
        tx.commit_known(&id).await.unwrap();
        placed
    }

    /// One number from the database.
    pub(super) async fn number(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&mut self.superuser().await).await.unwrap()
    }
}

pub(super) fn described(chunk_ids: Vec<i64>, pieces: &[&[u8]]) -> NewContent {
    NewContent {
        size: pieces.iter().map(|piece| piece.len() as u64).sum(),
        chunk_ids,
        chunk_hashes: pieces.iter().map(|piece| *blake3::hash(piece).as_bytes()).collect(),
        chunk_sizes: pieces.iter().map(|piece| u32::try_from(piece.len()).unwrap()).collect(),
        envelope: vec![1],
        structure: vec![1],
        preview: String::new(),
        thread_id: 1,
    }
}

pub(super) async fn open(url: &str, size: u32) -> Store {
    Store::new(connect(&Endpoint::external(url, None).unwrap(), size).await.unwrap(), None)
}
