//! The road out over loopback: routes, servers that misbehave, TLS of every kind.

mod dane;
mod handing_over;
mod hostile;
mod policies;
mod routes;
mod seen;
mod signed;
mod tls;
mod world;

use super::*;
use bytes::Bytes;
use guard::{MtaSts, Resolver};
use model::Rng;
use model::queue::{Answer, Notify, Outcome};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Always the same.
#[derive(Debug)]
struct Dice(u8);

impl Rng for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// What a test means by "for ever".
const SHORT: Duration = Duration::from_millis(300);

fn settings(port: u16) -> Settings {
    let limits = Limits { connect: SHORT * 4, handshake: SHORT * 10, ..Limits::default() };
    Settings {
        hostname: "thu.a.vn".into(),
        port,
        listens: Vec::new(),
        sources: Vec::new(),
        allow_private: true,
        smart_host: None,
        routes: Vec::new(),
        limits,
    }
}

fn carrier_trusting(settings: Settings, resolver: Resolver, roots: &Arc<rustls::RootCertStore>) -> Carrier {
    let sts = MtaSts::new(resolver.clone(), Arc::clone(roots), 1, settings.allow_private).unwrap();
    Carrier::new(settings, resolver, sts, roots, Arc::new(Dice(1)))
}

fn carrier(settings: Settings, resolver: Resolver) -> Carrier {
    carrier_trusting(settings, resolver, &Arc::new(rustls::RootCertStore::empty()))
}

/// A message in pieces.
struct Pieces(VecDeque<&'static [u8]>);

impl Octets for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, OctetsError> {
        match self.0.pop_front() {
            Some(b"!") => Err(OctetsError),
            piece => Ok(piece.map(Bytes::from_static)),
        }
    }
}

fn pieces(pieces: &[&'static [u8]]) -> Pieces {
    Pieces(pieces.iter().copied().collect())
}

fn hello() -> Pieces {
    pieces(&[b"Subject: x\r\n\r\n", b".hello\r\n"])
}

fn envelope(recipients: &[&str]) -> Envelope {
    let recipient =
        |address: &&str| OutRecipient { address: (*address).into(), orcpt: None, notify: Notify::UNSAID };
    Envelope {
        queue_id: "1".into(),
        sender: "an@a.vn".into(),
        env_id: None,
        ret: None,
        size: 22,
        is_8bit: false,
        needs_smtputf8: false,
        requires_tls: false,
        recipients: recipients.iter().map(recipient).collect(),
    }
}

/// As `delivered 250 2.0.0`, with `-` where nobody spoke.
fn told(outcomes: &[Outcome]) -> String {
    let word = |outcome: &Outcome| {
        let (word, answer) = match outcome {
            Outcome::Delivered(answer) => ("delivered", answer),
            Outcome::Deferred(answer) => ("deferred", answer),
            Outcome::Failed(answer) => ("failed", answer),
        };
        format!("{word} {}", told_of(answer))
    };
    outcomes.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn told_of(answer: &Answer) -> String {
    let code = answer.code.map_or("-".to_owned(), |code| code.to_string());
    format!("{code} {}", answer.status)
}
