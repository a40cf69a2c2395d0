//! Opens connections: a domain's hosts one after the other, each host's addresses one after the other.

use super::agent::Connection;
use super::demand::security;
use super::dial::{Dial, Failure, FailureKind};
use super::envelope::NoWay;
use super::limits::{ADDRESSES_MAX, SIX_REST};
use super::route::{Settings, Stop, find, spelt};
use super::verify::Trust;
use guard::{MtaSts, Resolver};
use model::Rng;
use model::queue::Answer;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Opens connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Carrier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    resolver: Resolver,
    sts: MtaSts,
    trust: Trust,
    rng: Arc<dyn Rng>,
    /// IPv6 is tried behind IPv4 until then.
    six_rests: Mutex<Option<Instant>>,
}

impl Carrier {
    /// `roots` are whose signatures on certificates are believed.
    #[must_use]
    pub fn new(
        mut settings: Settings,
        resolver: Resolver,
        sts: MtaSts,
        roots: &Arc<rustls::RootCertStore>,
        rng: Arc<dyn Rng>,
    ) -> Self {
        settings.spell_domains();
        let trust = Trust::new(roots);
        Self(Arc::new(Inner { settings, resolver, sts, trust, rng, six_rests: Mutex::default() }))
    }

    /// A connection to the best server of `domain` that can be reached: a name, or an address literal in brackets.
    ///
    /// # Errors
    /// When there is none, for now or for good.
    pub async fn open(&self, domain: &str) -> Result<Connection, NoWay> {
        let Inner { settings, resolver, sts, rng, .. } = &*self.0;
        // What is published, demanded and proven of a domain does not depend on how the sender has spelt it.
        let domain = spelt(domain);
        let way = find(&domain, settings, resolver, rng.as_ref()).await?;
        let (mut last, mut never) = (None, true);
        let end = Instant::now() + settings.limits.opening;
        let mut tries: usize = way.hosts.iter().map(|host| self.in_turn(&host.addresses).len()).sum();
        'hosts: for host in &way.hosts {
            let security = match security(&domain, &way, host, resolver, sts).await {
                Ok(security) => security,
                Err(answer) => {
                    (last, never) = (Some(answer), false);
                    continue;
                }
            };
            for address in self.in_turn(&host.addresses) {
                // Hosts that all keep us waiting are tried again another time.
                let left = end.saturating_duration_since(Instant::now());
                if last.is_some() && left.is_zero() {
                    break 'hosts;
                }
                tries = tries.saturating_sub(1);
                // The first that keeps us waiting leaves some time to the others.
                let until = Instant::now() + if tries > 0 { left / 2 } else { left };
                let trust = &self.0.trust;
                let dial = Dial { settings, trust, host, address, security: &security, until };
                match dial.reach().await {
                    Ok(connection) => {
                        self.learn_success(host, address);
                        return Ok(connection);
                    }
                    Err(failure) => {
                        never &= failure.kind == FailureKind::NeverMail;
                        last = Some(self.learn_failure(address, failure));
                    }
                }
            }
        }
        match last {
            Some(answer) if never => Err(NoWay::Never(answer)),
            Some(answer) => Err(NoWay::Later(answer)),
            None => Err(NoWay::later((4, 1), format!("no server of {domain} could be tried"))),
        }
    }

    /// IPv6 first where it works, then the families in turn, so that one that hangs does not use up all tries.
    pub(super) fn in_turn(&self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let (six, four): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|address| address.is_ipv6());
        let rests = self.0.six_rests.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = match *rests {
            Some(until) if until > Instant::now() => (four, six),
            _ => (six, four),
        };
        let most = first.len().max(second.len());
        let turns = (0..most).flat_map(|turn| [first.get(turn), second.get(turn)]);
        turns.flatten().copied().take(ADDRESSES_MAX).collect()
    }

    /// IPv4 was reached where IPv6 was not.
    fn learn_success(&self, host: &Stop, address: IpAddr) {
        let mut rests = self.0.six_rests.lock().unwrap_or_else(PoisonError::into_inner);
        if address.is_ipv6() {
            *rests = None;
            return;
        }
        // Else IPv6 was not tried first.
        let was_first = rests.is_none_or(|until| until <= Instant::now());
        if was_first && host.addresses.iter().any(IpAddr::is_ipv6) {
            *rests = Some(Instant::now() + SIX_REST);
        }
    }

    fn learn_failure(&self, address: IpAddr, failure: Failure) -> Answer {
        if failure.kind == FailureKind::NoNetwork && address.is_ipv6() {
            let mut rests = self.0.six_rests.lock().unwrap_or_else(PoisonError::into_inner);
            *rests = Some(Instant::now() + SIX_REST);
        }
        failure.answer
    }
}
