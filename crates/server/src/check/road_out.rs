//! The road out: do the servers that the configuration names for other domains' mail answer, are the addresses it is to leave from this
//! machine's, what waits for hours. Nobody else would say: mail waits for days before it comes back.
//!
//! Invariant: nobody is waited for longer than [`ANSWER_MAX`], and nothing is sent but a word of farewell.

use super::Findings;
use crate::config::{Config, HostPort};
use crate::system::SystemClock;
use guard::{Resolver, ascii_domain};
use jiff::{SignedDuration, Timestamp};
use model::Clock as _;
use model::calendar::local_text;
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;
use store::QueueDestinationRow;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// For names and for a server's greeting, each: whoever waits for a check is not to wait as long as mail would.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// What waits longer met more than a destination's bad quarter of an hour.
const WAITS_MAX: SignedDuration = SignedDuration::from_hours(2);
/// Destinations of waiting mail that are counted.
const DESTINATIONS_MAX: u32 = 1_000;
/// Those that are named.
const NAMED_MAX: usize = 5;
const WAITS: &str = "mail that goes by it waits until it does";

pub(super) async fn look(config: &Config, findings: &mut Findings) {
    for source in &config.outbound.sources {
        say_source(*source, UdpSocket::bind((*source, 0)).map(drop), findings);
    }
    // That there are no name servers is said where names are looked at.
    let Ok(resolver) = crate::outbound::resolver(config) else { return };
    let mut named: Vec<(String, &HostPort)> = Vec::new();
    let smart_host = config.smart_host.iter().map(|host| ("smart_host".to_owned(), host));
    let routes = config.routes.iter();
    let routes =
        routes.filter_map(|route| Some((format!("[[route]] {}", route.domain), route.host.as_ref()?)));
    for (of, host) in smart_host.chain(routes) {
        match named.iter_mut().find(|(_, known)| *known == host) {
            Some((all, _)) => *all = format!("{all}, {of}"),
            None => named.push((of, host)),
        }
    }
    let look = async |(of, host): (String, &HostPort), findings: &mut Findings| {
        let place = format!("{}:{} ({of})", host.host, host.port);
        let answer = match addresses(&resolver, &host.host).await {
            Ok(addresses) if addresses.is_empty() => {
                let what = format!("{place} has no address: {WAITS}");
                return findings.error("outbound", what, "mend the name, or its record");
            }
            Ok(addresses) => greeting(&addresses, host.port).await,
            Err(error) => Err(Error::other(error)),
        };
        say_host(&place, answer, findings);
    };
    findings.of_each(named.into_iter(), look).await;
}

fn say_source(source: IpAddr, bound: Result<(), Error>, findings: &mut Findings) {
    match bound {
        Ok(()) => findings.ok("outbound", format!("mail may leave from {source}, an address of this machine")),
        Err(error) => findings.error(
            "outbound",
            format!("no mail can leave from {source}: {error}"),
            "[outbound] source names addresses of this machine (ip address): give it that one, or take it out",
        ),
    }
}

async fn addresses(resolver: &Resolver, host: &str) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Ok(vec![address]);
    }
    let name = ascii_domain(host).unwrap_or_else(|| host.to_owned());
    let found = tokio::time::timeout(ANSWER_MAX, resolver.addresses(&name)).await;
    found.map_err(|_| "the name servers do not answer".to_owned())?.map_err(|error| error.to_string())
}

/// What the first of them says that says anything.
async fn greeting(addresses: &[IpAddr], port: u16) -> Result<String, Error> {
    let mut why = Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses.iter().take(2) {
        match tokio::time::timeout(ANSWER_MAX, greeted_by((*address, port).into())).await {
            Ok(Ok(said)) => return Ok(said),
            Ok(Err(error)) => why = error,
            Err(_) => why = ErrorKind::TimedOut.into(),
        }
    }
    Err(why)
}

async fn greeted_by(address: SocketAddr) -> Result<String, Error> {
    let mut stream = TcpStream::connect(address).await?;
    let mut said = [0; 512];
    let length = stream.read(&mut said).await?;
    // It was all that we wanted of it.
    let _ = stream.write_all(b"QUIT\r\n").await;
    let said = String::from_utf8_lossy(said.get(..length).unwrap_or_default()).into_owned();
    Ok(said.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(100).collect())
}

fn say_host(place: &str, answer: Result<String, Error>, findings: &mut Findings) {
    match answer {
        Ok(said) if said.starts_with("220") => findings.ok("outbound", format!("{place} answers")),
        Ok(said) if said.starts_with('4') => findings.warn(
            "outbound",
            format!("{place} takes nothing now ({said:?}): {WAITS}"),
            "check again in a while",
        ),
        Err(error) if error.kind() == ErrorKind::TimedOut => findings.warn(
            "outbound",
            format!("{place} did not answer within {} s; it may be slow", ANSWER_MAX.as_secs()),
            "see whether it runs, and whether a firewall lets this machine reach it; else mend host and port",
        ),
        Ok(said) => findings.error(
            "outbound",
            format!("{place} does not greet as a mail server does ({said:?}): {WAITS}"),
            "ask whoever runs it whether it takes mail of this machine; else mend host and port",
        ),
        Err(error) => findings.error(
            "outbound",
            format!("{place} does not answer ({error}): {WAITS}"),
            "see whether it runs, and whether a firewall lets this machine reach it; else mend host and port",
        ),
    }
}

/// Mail that was tried, or is to be, and is here for hours.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn late(store: &store::Store, findings: &mut Findings) -> Result<(), store::Error> {
    let now = SystemClock.now();
    let since = now.saturating_sub(WAITS_MAX).unwrap_or(Timestamp::MIN);
    waiting(&store.queue_waiting((since, now), DESTINATIONS_MAX).await?, findings);
    Ok(())
}

/// By destination: those first for which the most waits.
fn waiting(rows: &[QueueDestinationRow], findings: &mut Findings) {
    let deliveries: u64 = rows.iter().map(|row| row.deliveries).sum();
    let Some(oldest) = rows.iter().map(|row| row.oldest).min() else { return };
    let named: Vec<String> = rows.iter().take(NAMED_MAX).map(of_one).collect();
    let more = rows.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(", and for {more} more") } else { String::new() };
    findings.warn(
        "queue",
        format!(
            "{deliveries} deliveries wait for more than {} hours, the first since {}: for {}{more}",
            WAITS_MAX.as_hours(),
            local_text(oldest),
            named.join(", ")
        ),
        "congthu queue destinations says why, congthu queue list --domain NAME names the messages",
    );
}

fn of_one(row: &QueueDestinationRow) -> String {
    let why = row.answer.as_deref().filter(|_| row.failures > 0);
    let why = why.map(|answer| format!(": {answer}")).unwrap_or_default();
    format!("{} ({}{why})", row.name, row.deliveries)
}

#[cfg(test)]
mod tests {
    use super::super::{Level, as_text};
    use super::*;

    async fn said(text: &str) -> (usize, String) {
        let mut findings = Findings::default();
        look(&Config::parse(text, "test").unwrap(), &mut findings).await;
        (findings.count(Level::Error), as_text(&findings))
    }

    #[tokio::test]
    async fn servers_that_do_not_answer_are_said() {
        assert_eq!(said("").await, (0, String::new()));
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let serves = async {
            for greeting in ["220 relay.a.vn ESMTP\r\n", "554 not you\r\n"] {
                let (mut stream, _) = server.accept().await.unwrap();
                stream.write_all(greeting.as_bytes()).await.unwrap();
                let mut farewell = Vec::new();
                stream.read_to_end(&mut farewell).await.unwrap();
                assert_eq!(farewell, b"QUIT\r\n");
            }
        };
        let outbound = format!(
            "dns.servers = [\"127.0.0.1:1\"]\n[outbound]\nsmart_host = \"{address}\"\n[[route]]\ndomain = \"b.vn\"\nhost = \"{dead}\"\n\
             [[route]]\ndomain = \"c.vn\"\nhost = \"{address}\"\n"
        );
        let checks = async {
            let (errors, text) = said(&outbound).await;
            assert_eq!(errors, 1, "{text}");
            assert!(text.contains(&format!("{address} (smart_host, [[route]] c.vn) answers")), "{text}");
            assert!(text.contains(&format!("{dead} ([[route]] b.vn) does not answer")), "{text}");
            let (errors, text) = said(&format!("[outbound]\nsmart_host = \"{address}\"\n")).await;
            assert!(errors == 1 && text.contains("(\"554 not you\")"), "{text}");
        };
        tokio::join!(serves, checks);
    }

    #[tokio::test]
    async fn addresses_of_other_machines_are_said() {
        let (errors, text) = said("[outbound]\nsource = [\"127.0.0.1\", \"192.0.2.77\"]\n").await;
        assert_eq!(errors, 1, "{text}");
        assert!(text.contains("no mail can leave from 192.0.2.77"), "{text}");
        assert!(text.contains("from 127.0.0.1, an address of this machine"), "{text}");
    }

    #[test]
    fn mail_that_waits_for_hours_is_one_line() {
        let now: Timestamp = "2026-11-23T19:00:00Z".parse().unwrap();
        let row = |name: &str, failures| QueueDestinationRow {
            name: name.to_owned(),
            deliveries: 3,
            oldest: now,
            next_at: now,
            failures,
            answer: Some("refused".to_owned()),
        };
        let mut findings = Findings::default();
        waiting(&[], &mut findings);
        assert_eq!(findings.0.len(), 0);
        let rows =
            ["a.vn", "b.vn", "c.vn", "d.vn", "e.vn", "f.vn"].map(|name| row(name, u32::from(name == "a.vn")));
        waiting(&rows, &mut findings);
        let text = as_text(&findings);
        assert_eq!(text.lines().count(), 1);
        let first = "18 deliveries wait for more than 2 hours, the first since 2026-11-24 02:00";
        assert!(text.contains(first) && text.contains("for a.vn (3: refused), b.vn (3), "), "{text}");
        assert!(text.contains("e.vn (3), and for 1 more;"), "{text}");
    }
}
