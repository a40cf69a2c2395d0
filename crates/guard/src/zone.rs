//! A name server on loopback for tests: it answers from a table, over UDP as others do.
//!
//! A line is a name, a kind and what it says: `a.vn TXT v=spf1 -all`, `a.vn MX 10 mx.a.vn`, `b.vn SERVFAIL`, `c.vn SILENT`. A name
//! without lines does not exist; one that has others is empty for the kinds it lacks.

use crate::Resolver;
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::UdpSocket;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Others on the thread had their turn so often, and nothing came.
const ROUNDS_OF_SILENCE: usize = 100;

type Zone = HashMap<String, Vec<(String, String)>>;

/// Answers until the guard is dropped.
pub(crate) async fn serve(text: &str) -> (Resolver, DropGuard) {
    let zone = read(text);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = Resolver::new(&[socket.local_addr().unwrap()]).unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, peer) = tokio::select! {
                received = socket.recv_from(&mut buffer) => received.unwrap(),
                () = stopped.cancelled() => return,
            };
            if let Some(answer) = answer(&zone, &Message::from_vec(&buffer[..length]).unwrap()) {
                socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
            }
        }
    });
    (resolver, stop.drop_guard())
}

/// Answers none before no more come, and then all that wait: how many it had at once, and how many in all.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    pub(crate) most: AtomicUsize,
    pub(crate) all: AtomicUsize,
}

/// As [`serve`], to questions that wait for each other. For a test on one thread.
pub(crate) async fn serve_crowds(text: &str) -> (Resolver, Arc<Crowd>, DropGuard) {
    let zone = read(text);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = Resolver::new(&[socket.local_addr().unwrap()]).unwrap();
    let (stop, crowd) = (CancellationToken::new(), Arc::new(Crowd::default()));
    let (stopped, seen) = (stop.clone(), Arc::clone(&crowd));
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let (mut buffer, mut waiting, mut silent) = ([0; 4096], Vec::new(), 0);
        while !stopped.is_cancelled() {
            if let Ok((length, peer)) = socket.try_recv_from(&mut buffer) {
                waiting.push((Message::from_vec(&buffer[..length]).unwrap(), peer));
                seen.all.fetch_add(1, Ordering::Relaxed);
                seen.most.fetch_max(waiting.len(), Ordering::Relaxed);
                silent = 0;
            } else if waiting.is_empty() {
                socket.readable().await.unwrap();
            } else if silent < ROUNDS_OF_SILENCE {
                silent += 1;
                tokio::task::yield_now().await;
            } else {
                for (question, peer) in waiting.drain(..) {
                    let answer = answer(&zone, &question).unwrap();
                    socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
                }
            }
        }
    });
    (resolver, crowd, stop.drop_guard())
}

fn read(text: &str) -> Zone {
    let mut zone = Zone::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (kind, data) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
        zone.entry(name.to_lowercase()).or_default().push((kind.to_owned(), data.trim_start().to_owned()));
    }
    zone
}

fn answer(zone: &Zone, question: &Message) -> Option<Message> {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    let query = question.queries.first()?.clone();
    answer.add_query(query.clone());
    // As it is on the wire: a name may be made of any octets.
    let labels: Vec<_> = query.name().iter().map(String::from_utf8_lossy).collect();
    let asked = labels.join(".").to_lowercase();
    let below = format!(".{asked}");
    let Some(lines) = zone.get(&asked) else {
        // A name with others below it is there, and empty.
        if !zone.keys().any(|name| name.ends_with(&below)) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        return Some(answer);
    };
    for (kind, data) in lines {
        let name = |text: &str| Name::from_ascii(format!("{text}.")).unwrap();
        let data = match (kind.as_str(), query.query_type()) {
            ("SILENT", _) => return None,
            ("SERVFAIL", _) => {
                answer.metadata.response_code = ResponseCode::ServFail;
                return Some(answer);
            }
            ("A", RecordType::A) => RData::A(A(data.parse().unwrap())),
            ("AAAA", RecordType::AAAA) => RData::AAAA(AAAA(data.parse().unwrap())),
            ("PTR", RecordType::PTR) => RData::PTR(PTR(name(data))),
            ("MX", RecordType::MX) => {
                let (preference, host) = data.split_once(' ').unwrap();
                RData::MX(MX::new(preference.parse().unwrap(), name(host.trim_end_matches('.'))))
            }
            ("TXT", RecordType::TXT) => {
                let strings =
                    data.as_bytes().chunks(255).map(|part| String::from_utf8_lossy(part).into_owned());
                RData::TXT(TXT::new(strings.collect()))
            }
            _ => continue,
        };
        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    }
    Some(answer)
}
