//! SASL exchanges: lines of the input are the client's responses; they end within two challenges.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::sasl::{MECHANISMS, Mechanism, Progress};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|octet| *octet == b'\n');
    let name = lines.next().map(String::from_utf8_lossy).unwrap_or_default();
    let _ = Mechanism::from_name(&name);
    let responses: Vec<&[u8]> = lines.collect();
    for mechanism in MECHANISMS {
        exchange(mechanism, None, &responses);
        if let Some((first, rest)) = responses.split_first() {
            exchange(mechanism, Some(first), rest);
        }
    }
});

fn exchange(mechanism: Mechanism, initial: Option<&[u8]>, responses: &[&[u8]]) {
    let mut responses = responses.iter();
    let mut progress = mechanism.start(initial);
    for _ in 0..3 {
        match progress {
            Ok(Progress::Challenge(exchange, _)) => match responses.next() {
                Some(response) => progress = exchange.respond(response),
                None => return,
            },
            Ok(Progress::Done(credentials)) => {
                let shown = format!("{credentials:?}");
                let password = credentials.password();
                assert!(password.len() < 8 || !shown.contains(password), "a password in {shown}");
                return;
            }
            Err(_) => return,
        }
    }
    panic!("an exchange of more than two challenges");
}
