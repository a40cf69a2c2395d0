//! The resolver against a name server on loopback, which knows a handful of names.

use super::*;
use hickory_resolver::proto::op::{Message, OpCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use tokio::net::UdpSocket;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Answers until the guard is dropped.
pub(crate) async fn name_server() -> (Resolver, DropGuard) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = Resolver::new(&[socket.local_addr().unwrap()]).unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, peer) = tokio::select! {
                received = socket.recv_from(&mut buffer) => received.unwrap(),
                () = stopped.cancelled() => return,
            };
            if let Some(answer) = answer(&Message::from_vec(&buffer[..length]).unwrap()) {
                socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
            }
        }
    });
    (resolver, stop.drop_guard())
}

fn answer(question: &Message) -> Option<Message> {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    let query = question.queries.first()?.clone();
    answer.add_query(query.clone());
    let mut say = |data| {
        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    };
    match (text(query.name()).as_str(), query.query_type()) {
        ("mail.demo.gov.vn", RecordType::A) => say(RData::A(A::new(192, 0, 2, 1))),
        ("mail.demo.gov.vn", RecordType::AAAA) => say(RData::AAAA(AAAA("2001:db8::1".parse().unwrap()))),
        ("demo.gov.vn", RecordType::MX) => {
            say(RData::MX(MX::new(20, Name::from_ascii("Mail2.demo.gov.vn.").unwrap())));
            say(RData::MX(MX::new(10, Name::from_ascii("mail.demo.gov.vn.").unwrap())));
        }
        ("_mta-sts.demo.gov.vn", RecordType::TXT) => {
            say(RData::TXT(TXT::new(vec!["v=STSv1; id=2;".to_owned()])));
        }
        ("null.vn", RecordType::MX) => say(RData::MX(MX::new(0, Name::root()))),
        ("1.2.0.192.in-addr.arpa", RecordType::PTR) => {
            say(RData::PTR(PTR(Name::from_ascii("mail.demo.gov.vn.").unwrap())));
        }
        ("broken.vn", _) => answer.metadata.response_code = ResponseCode::ServFail,
        ("silent.vn", _) => return None,
        ("demo.gov.vn", _) => {}
        _ => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    Some(answer)
}

/// Whoever can drop one answer does not decide that nothing is proven.
#[tokio::test(start_paused = true)]
async fn silence_does_not_say_that_nobody_signs() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = Resolver::new(&[socket.local_addr().unwrap()]).unwrap();
    assert_eq!(resolver.keys("mail.demo.gov.vn", 25).await, Err(DnsError::Silence));
    assert_eq!(resolver.exchange_is_proven("demo.gov.vn", "mail.demo.gov.vn").await, Err(DnsError::Silence));
}

#[tokio::test]
async fn what_there_is_is_told() {
    let (resolver, _running) = name_server().await;
    let addresses = resolver.addresses("mail.demo.gov.vn").await.unwrap();
    assert_eq!(addresses, ["192.0.2.1".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
    let hosts: Vec<_> = resolver.exchanges("demo.gov.vn").await.unwrap();
    let hosts: Vec<_> = hosts.iter().map(|e| (e.preference, e.host.as_str())).collect();
    assert_eq!(hosts, [(10, "mail.demo.gov.vn"), (20, "mail2.demo.gov.vn")]);
    assert_eq!(resolver.exchanges("null.vn").await.unwrap()[0].host, "");
    assert_eq!(resolver.names("192.0.2.1".parse().unwrap()).await.unwrap(), ["mail.demo.gov.vn"]);
}

#[tokio::test]
async fn none_and_not_known_are_different() {
    let (resolver, _running) = name_server().await;
    for none in ["nowhere.vn", "demo.gov.vn"] {
        assert_eq!(resolver.addresses(none).await, Ok(Vec::new()), "{none}");
    }
    assert_eq!(resolver.exchanges("nowhere.vn").await, Ok(Vec::new()));
    assert_eq!(resolver.names("192.0.2.9".parse().unwrap()).await, Ok(Vec::new()));
    assert!(matches!(resolver.addresses("broken.vn").await, Err(DnsError::Failure(_))));
    assert!(matches!(resolver.addresses("a..b").await, Err(DnsError::BadName(_))));
}

#[tokio::test(start_paused = true)]
async fn silence_ends() {
    let (resolver, _running) = name_server().await;
    let began = tokio::time::Instant::now();
    assert_eq!(resolver.addresses("silent.vn").await, Err(DnsError::Silence));
    assert!(began.elapsed() <= QUESTION_MAX, "{:?}", began.elapsed());
}
