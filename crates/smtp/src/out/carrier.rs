//! Opens connections: a domain's hosts one after the other, each host's addresses one after the other.

use super::agent::Connection;
use super::demand::{Weighed, demanded_for_reports, weigh};
use super::dial::{Dial, Failure, FailureKind};
use super::envelope::NoWay;
use super::limits::{ADDRESSES_MAX, SIX_REST};
use super::route::{Origin, Settings, Stop, find, spelt};
use super::seen::{Flaw, Rule, Seen, Watcher};
use super::verify::Trust;
use guard::{MtaSts, Resolver};
use model::Rng;
use model::queue::Answer;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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
    watcher: OnceLock<Arc<dyn Watcher>>,
}

/// Whose wishes a connection has to fulfil.
#[derive(Clone, Copy)]
enum Regard {
    /// The administrator's, and what is published.
    Policies,
    Administrator,
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
        let (six_rests, watcher) = (Mutex::default(), OnceLock::new());
        Self(Arc::new(Inner { settings, resolver, sts, trust, rng, six_rests, watcher }))
    }

    /// With somebody who hears of the sessions with servers that domains have named; the first who is given does.
    #[must_use]
    pub fn with_watcher(self, watcher: Arc<dyn Watcher>) -> Self {
        self.0.watcher.get_or_init(|| watcher);
        self
    }

    /// A connection to the best server of `domain` that can be reached: a name, or an address literal in brackets.
    ///
    /// # Errors
    /// When there is none, for now or for good.
    pub async fn open(&self, domain: &str) -> Result<Connection, NoWay> {
        self.open_with(domain, Regard::Policies).await
    }

    /// The same for what tells a domain of its TLS: whatever the domain has published for that, and nobody hears of the session
    /// (RFC 8460 3, 5.3). What the administrator demands is demanded here, too, but that a host that the domain names only has to have TLS
    /// where it would have to prove itself.
    ///
    /// # Errors
    /// As [`Carrier::open`].
    pub async fn open_despite_policies(&self, domain: &str) -> Result<Connection, NoWay> {
        self.open_with(domain, Regard::Administrator).await
    }

    async fn open_with(&self, domain: &str, regard: Regard) -> Result<Connection, NoWay> {
        let Inner { settings, resolver, sts, rng, .. } = &*self.0;
        // What is published, demanded and proven of a domain does not depend on how the sender has spelt it.
        let domain = spelt(domain);
        let way = find(&domain, settings, resolver, rng.as_ref()).await?;
        let (mut last, mut never) = (None, true);
        let is_watched = self.0.watcher.get().is_some();
        let end = Instant::now() + settings.limits.opening;
        let mut tries: usize = way.hosts.iter().map(|host| self.in_turn(&host.addresses).len()).sum();
        'hosts: for host in &way.hosts {
            let Weighed { security, rule } = match regard {
                Regard::Policies => weigh(&domain, &way, host, (resolver, sts), is_watched).await,
                Regard::Administrator => demanded_for_reports(&domain, &way, host),
            };
            let security = match security {
                Ok(security) => security,
                Err(answer) => {
                    self.tell_unused(rule.as_ref(), host);
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
                let (seen, reached) = dial.reach().await;
                self.tell(rule.as_ref(), (host, address), &seen);
                match reached {
                    Ok(mut connection) => {
                        self.learn_success(host, address);
                        connection.chosen = (way.origin != Origin::Configured).then_some(address);
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

    /// What was seen of a session.
    fn tell(&self, rule: Option<&Rule>, (host, address): (&Stop, IpAddr), seen: &Seen) {
        let Some((rule, judged)) = rule.and_then(|rule| Some((rule, rule.judge(seen)?))) else { return };
        self.tell_all(rule, judged.err(), (host, (seen.from, Some(address))));
    }

    /// That there was none, as the policy of the host's domain does not let there be one.
    fn tell_unused(&self, rule: Option<&Rule>, host: &Stop) {
        let Some((rule, broken)) = rule.and_then(|rule| Some((rule, rule.broken?))) else { return };
        self.tell_all(rule, Some(broken), (host, (None, None)));
    }

    /// A session, and beside it that a policy is not to be had.
    fn tell_all(
        &self,
        rule: &Rule,
        flaw: Option<Flaw>,
        (host, ends): (&Stop, (Option<IpAddr>, Option<IpAddr>)),
    ) {
        let Some(watcher) = self.0.watcher.get() else { return };
        watcher.saw(&rule.policy, flaw.map(|flaw| flaw.at(host, ends)));
        if let Some(missing) = rule.missing {
            watcher.saw(&rule.missing_policy(), Some(Flaw::of(missing).at(host, ends)));
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
