//! The domain name system: addresses, mail exchanges and the names of addresses.
//!
//! Invariants: "there is none" and "it could not be found out" are different answers (RFC 2308), because mail is refused on
//! the one and tried again on the other; every question ends within [`QUESTION_MAX`]; names are asked for as they are,
//! without search lists, which would find `mail` in somebody's own domain. What is proven by DNSSEC: `dns/proven.rs`.

mod proven;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError as Answer, NetError, runtime::TokioRuntimeProvider};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver, system_conf};
use proven::Prover;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// One try at one server: an answer from the other side of the world takes half a second.
const TRY_MAX: Duration = Duration::from_secs(3);
const TRIES: usize = 2;
/// All tries at all servers: shorter than any mail program's patience (RFC 5321 4.5.3.2: minutes).
const QUESTION_MAX: Duration = Duration::from_secs(15);
/// Records of one answer that are looked at: a domain has a handful, and more serve nobody.
const RECORDS_MAX: usize = 100;

/// Octets of the texts of one name that are looked at: policies and keys have some hundred.
const TEXT_OCTETS_MAX: usize = 64 * 1024;

/// Questions under way at once, whoever asks: strangers' mail asks many, and name servers have places for some thousands.
const QUESTIONS_MAX: usize = 512;

/// Of these for one message: a usual one needs about as many in all.
pub(crate) const MESSAGE_QUESTIONS_MAX: usize = 16;

/// Asks name servers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Resolver {
    pub(crate) plain: TokioResolver,
    /// `None`: no proof is asked for.
    prover: Option<Arc<Prover>>,
    /// Questions under way.
    turns: Arc<Semaphore>,
    /// Of these for the message that it asks for.
    message_turns: Option<Arc<Semaphore>>,
}

/// Where a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Its own name, behind all aliases (CNAME); the one that was asked for where it has no address.
    pub name: String,
    /// Of both families; none when it has none.
    pub addresses: Vec<IpAddr>,
}

/// A host that takes mail for a domain (RFC 5321 5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// Lower comes first.
    pub preference: u16,
    /// Without the final dot; empty for the null MX (RFC 7505).
    pub host: String,
}

/// It could not be found out; another time may tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    #[error("{0:?} is not a domain name")]
    BadName(String),
    #[error("the name servers do not answer")]
    Silence,
    #[error("the name servers cannot say: {0}")]
    Failure(String),
    /// Of no name: whether anything can be proven is not known.
    #[error("it cannot be told whether the name servers hand on what proves (DNSSEC): {0}")]
    Unproven(String),
}

impl Resolver {
    /// Asks `servers`, or those of the machine's `/etc/resolv.conf` when there are none.
    ///
    /// # Errors
    /// When the machine's settings cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        Self::trusting(servers, TrustAnchors::default())
    }

    /// As [`Resolver::new`], trusting `anchors` instead of the root's keys, where the name servers hand on signatures at all.
    ///
    /// # Errors
    /// As [`Resolver::new`].
    pub fn trusting(servers: &[SocketAddr], anchors: TrustAnchors) -> Result<Self, DnsError> {
        Self::of(&settings(servers)?, anchors, false)
    }

    /// As [`Resolver::trusting`], for a root of one's own. It is signed, so what does not prove that is wrong, as a mistyped key: else
    /// every domain would look as if it had signed nothing.
    ///
    /// # Errors
    /// As [`Resolver::new`].
    pub fn with_anchors(servers: &[SocketAddr], anchors: TrustAnchors) -> Result<Self, DnsError> {
        Self::of(&settings(servers)?, anchors, true)
    }

    fn of(settings: &Settings, anchors: TrustAnchors, must_work: bool) -> Result<Self, DnsError> {
        let plain = settings.builder().build().map_err(|error| failure(&error))?;
        let prover = Some(Arc::new(Prover::new(settings, Arc::new(anchors), must_work)?));
        let turns = Arc::new(Semaphore::new(QUESTIONS_MAX));
        Ok(Self { plain, prover, turns, message_turns: None })
    }

    /// The same, which asks for no proof and waits for none: of nothing is anything proven, as if nobody signed.
    #[must_use]
    pub fn without_proofs(self) -> Self {
        Self { prover: None, ..self }
    }

    /// The same, for one message: what a stranger has us ask for it waits for its own turn first, not in everybody's way.
    #[must_use]
    pub(crate) fn for_message(&self) -> Self {
        let message_turns = Some(Arc::new(Semaphore::new(MESSAGE_QUESTIONS_MAX)));
        Self { message_turns, ..self.clone() }
    }

    /// Addresses of a host, of both families; none when it has none.
    ///
    /// # Errors
    /// When it cannot be found out for one of the families.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let mut found = self.addresses_four(host).await?;
        found.extend(self.addresses_six(host).await?);
        Ok(found)
    }

    /// Its addresses of one family alone.
    pub(crate) async fn addresses_four(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let address = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            _ => None,
        };
        self.ask(name(host)?, RecordType::A, address).await
    }

    pub(crate) async fn addresses_six(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let address = |data: &RData| match data {
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        self.ask(name(host)?, RecordType::AAAA, address).await
    }

    /// Where a host is, through its aliases: what is known of one family counts although the other cannot be found out.
    ///
    /// # Errors
    /// When no address is known, and one of the families cannot be found out.
    pub async fn host(&self, host: &str) -> Result<Host, DnsError> {
        let asked = name(host)?;
        let (four, six) = tokio::join!(
            self.lookup(asked.clone(), RecordType::A),
            self.lookup(asked.clone(), RecordType::AAAA)
        );
        let mut found = Host { name: text(&asked), addresses: Vec::new() };
        let mut trouble = None;
        for answer in [six, four] {
            match answer {
                Ok(Some(lookup)) => found.add(&lookup),
                Ok(None) => {}
                Err(error) => trouble = Some(error),
            }
        }
        match trouble {
            Some(error) if found.addresses.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// The texts of a name (TXT), the strings of each record put together.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn texts(&self, of: &str) -> Result<Vec<Vec<u8>>, DnsError> {
        let mut octets = 0;
        let mut text = |data: &RData| match data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        };
        let found = self.ask(name(of)?, RecordType::TXT, &mut text).await?;
        let fits = |text: &Vec<u8>| {
            octets += text.len();
            octets <= TEXT_OCTETS_MAX
        };
        Ok(found.into_iter().take_while(fits).collect())
    }

    /// Where mail for a domain goes, the preferred first; none when the domain names nobody (its own address takes mail
    /// then: RFC 5321 5.1).
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn exchanges(&self, domain: &str) -> Result<Vec<Exchange>, DnsError> {
        let mut found = self.ask(name(domain)?, RecordType::MX, exchange).await?;
        found.sort();
        Ok(found)
    }

    /// The names an address has (PTR).
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn names(&self, address: IpAddr) -> Result<Vec<String>, DnsError> {
        let name = |data: &RData| match data {
            RData::PTR(name) => Some(text(&name.0)),
            _ => None,
        };
        self.ask(Name::from(address), RecordType::PTR, name).await
    }

    async fn ask<T>(
        &self,
        name: Name,
        kind: RecordType,
        read: impl FnMut(&RData) -> Option<T>,
    ) -> Result<Vec<T>, DnsError> {
        let Some(lookup) = self.lookup(name, kind).await? else { return Ok(Vec::new()) };
        let answers = lookup.answers().iter().take(RECORDS_MAX);
        Ok(answers.map(|record| &record.data).filter_map(read).collect())
    }

    /// `None`: there is none.
    async fn lookup(&self, name: Name, kind: RecordType) -> Result<Option<Lookup>, DnsError> {
        let asked = async {
            let _of_message = match &self.message_turns {
                Some(turns) => Some(turns.acquire().await),
                None => None,
            };
            let _turn = self.turns.acquire().await;
            self.plain.lookup(name, kind).await
        };
        let asked = tokio::time::timeout(QUESTION_MAX, asked).await;
        match asked.map_err(|_| DnsError::Silence)? {
            Ok(lookup) => Ok(Some(lookup)),
            Err(error) if says_none(&error) => Ok(None),
            Err(error) => Err(failure(&error)),
        }
    }
}

impl Host {
    fn add(&mut self, lookup: &Lookup) {
        for record in lookup.answers().iter().take(RECORDS_MAX) {
            let Some(address) = address(&record.data) else { continue };
            self.name = text(&record.name);
            self.addresses.push(address);
        }
    }
}

fn exchange(data: &RData) -> Option<Exchange> {
    match data {
        RData::MX(mx) => Some(Exchange { preference: mx.preference, host: text(&mx.exchange) }),
        _ => None,
    }
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

/// Whom to ask, and how.
struct Settings {
    config: ResolverConfig,
    options: ResolverOpts,
}

impl Settings {
    fn builder(&self) -> ResolverBuilder<TokioRuntimeProvider> {
        let builder =
            TokioResolver::builder_with_config(self.config.clone(), TokioRuntimeProvider::default());
        builder.with_options(self.options.clone())
    }
}

fn settings(servers: &[SocketAddr]) -> Result<Settings, DnsError> {
    let (config, mut options) = if servers.is_empty() {
        system_conf::read_system_conf().map_err(|error| failure(&error))?
    } else {
        let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
        (config, ResolverOpts::default())
    };
    options.timeout = TRY_MAX;
    options.attempts = TRIES;
    // What others see of a name counts, not what this machine's file says.
    options.use_hosts_file = ResolveHosts::Never;
    Ok(Settings { config, options })
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    (udp.port, tcp.port) = (address.port(), address.port());
    NameServerConfig::new(address.ip(), true, vec![udp, tcp])
}

/// RFC 2308 2: no such name, or none of this kind.
fn says_none(error: &NetError) -> bool {
    let NetError::Dns(Answer::NoRecordsFound(none)) = error else { return false };
    matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError)
}

fn failure(error: &NetError) -> DnsError {
    match error {
        NetError::Timeout | NetError::NoConnections | NetError::Io(_) => DnsError::Silence,
        NetError::Dns(Answer::ResponseCode(code)) => DnsError::Failure(code.to_string()),
        NetError::Dns(Answer::NoRecordsFound(none)) => DnsError::Failure(none.response_code.to_string()),
        error => DnsError::Failure(error.to_string()),
    }
}

/// A domain as every server can write it: in small letters of ASCII (A-labels); `None` for what is no domain.
#[must_use]
pub fn ascii_domain(domain: &str) -> Option<String> {
    Name::from_utf8(domain).ok().map(|name| text(&name)).filter(|name| !name.is_empty())
}

/// Absolute, so that no search list is tried. What is no host's name may still be one: SPF records make such.
fn name(text: &str) -> Result<Name, DnsError> {
    let bad = |_| DnsError::BadName(text.to_owned());
    let mut name = match Name::from_utf8(text) {
        Ok(name) => name,
        Err(_) if text.is_ascii() && !text.split('.').any(str::is_empty) => {
            Name::from_labels(text.split('.').map(str::as_bytes)).map_err(bad)?
        }
        Err(error) => return Err(bad(error)),
    };
    name.set_fqdn(true);
    Ok(name)
}

fn text(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
