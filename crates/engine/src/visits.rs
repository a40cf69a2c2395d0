//! Log-ins from countries that a mailbox is not used from: noted, told, and answered as the policy of its domain says
//! (requirements D7; docs/adr/0026-countries-of-log-ins.md).
//!
//! Invariants: only a right password counts, so strangers write nothing here; where no table of countries is configured, and for own
//! networks, nothing is asked or kept; what is strange, whom it is told and what the mailbox may still send are one transaction; a
//! log-in never fails because it could not be noted. A mailbox is locked for none of this: only for what it then sends
//! ([`crate::sending`]).

use crate::identity::Origin;
use crate::sending::suspect_until;
use crate::{Engine, Error, Protocol};
use jiff::{SignedDuration, Timestamp};
use model::calendar::{local_text, written_time};
use model::visits::{Finding, TOLD_AGAIN_AFTER, find};
use model::{AccountId, Countries, Country, NewCountry, Policy};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::{Event, LifeRow, LoginRow, OwedNotice};

/// Terms are counted in days: twice a day is exact enough.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(12);
/// Mailboxes and countries remembered; beyond, all are forgotten, which costs a note each.
const REMEMBERED_MAX: usize = 100_000;
/// Where nothing was for so long is forgotten: the longest term that policy can set, and a month for clocks and jobs.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 760);
/// Rows forgotten in one statement.
const FORGOTTEN_AT_ONCE: u32 = 10_000;

/// The tables of countries, and what this node has noted lately.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    countries: RwLock<Arc<Countries>>,
    noted: Mutex<HashMap<(AccountId, Country), Timestamp>>,
}

impl Visits {
    fn is_noted(&self, account: AccountId, country: Country, now: Timestamp) -> bool {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get(&(account, country)).is_some_and(|at| now.duration_since(*at).abs() < NOTED_EVERY)
    }

    fn note(&self, account: AccountId, country: Country, now: Timestamp) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= REMEMBERED_MAX {
            noted.clear();
        }
        noted.insert((account, country), now);
    }
}

/// A log-in whose password was right.
#[derive(Clone, Copy, Debug)]
struct LogIn<'a> {
    account: AccountId,
    country: Country,
    is_refused: bool,
    policy: &'a Policy,
    origin: &'a Origin,
    now: Timestamp,
}

impl Engine {
    /// From now on log-ins are looked at by these tables; empty ones: not at all.
    pub fn use_countries(&self, countries: Countries) {
        *self.0.visits.countries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(countries);
    }

    /// Where somebody is who comes from the Internet, as far as the tables know; `None` where nobody is asked that: without tables, and
    /// of our own networks and whatever nobody on the Internet is in.
    fn place_of(&self, remote: IpAddr) -> Option<Country> {
        let countries = Arc::clone(&self.0.visits.countries.read().unwrap_or_else(PoisonError::into_inner));
        if countries.is_empty()
            || self.is_exempt(remote)
            || guard::is_near(remote)
            || countries.is_own(remote)
        {
            return None;
        }
        Some(countries.of(remote).unwrap_or(Country::UNKNOWN))
    }

    /// The country that somebody is in, where that is known.
    pub(crate) fn country_of(&self, remote: IpAddr) -> Option<Country> {
        self.place_of(remote).filter(|place| *place != Country::UNKNOWN)
    }

    /// By which door somebody came, and from which country, if that is known, for the evidence: `imap VN`.
    pub(crate) fn door_of(&self, origin: &Origin) -> String {
        let door = origin.protocol.as_str();
        self.country_of(origin.remote).map_or_else(|| door.to_owned(), |country| format!("{door} {country}"))
    }

    /// Does policy let nobody in from there?
    pub(crate) fn is_barred_from(&self, policy: &Policy, remote: IpAddr) -> bool {
        self.place_of(remote).is_some_and(|place| policy.refuses_log_ins_from(place))
    }

    /// What is strange about where a log-in came from whose password was right, let in or not, is noted and told.
    pub(crate) async fn tell_of_visit(&self, row: &LoginRow, policy: &Policy, origin: &Origin) {
        let Some(country) = self.place_of(origin.remote) else { return };
        let (account, now) = (row.account, self.now());
        let is_refused = policy.refuses_log_ins_from(country);
        // A gap in a table makes nobody strange.
        if country == Country::UNKNOWN && !is_refused {
            return;
        }
        if is_refused || !self.0.visits.is_noted(account, country, now) {
            let log_in = LogIn { account, country, is_refused, policy, origin, now };
            match self.visit(row, &log_in).await {
                Ok(true) => self.0.visits.note(account, country, now),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "where somebody logged in from could not be noted"),
            }
        }
    }

    /// May it be remembered that it was noted? Where somebody was told of is looked up each time: an administrator may make it strange
    /// again. What is put off is an event twice a day, until it is told.
    async fn visit(&self, row: &LoginRow, log_in: &LogIn<'_>) -> Result<bool, Error> {
        let LogIn { account, country, is_refused, policy, now, .. } = *log_in;
        let visits = self.0.store.visits(account).await?;
        let found = find(&visits, country, is_refused, policy.login.country_days, now);
        if found.is_new || found.is_told {
            self.strange_visit(row, log_in, found).await?;
            return Ok(found.is_put_off);
        }
        if is_refused {
            return Ok(false);
        }
        self.0.store.note_visit(account, country, now).await?;
        Ok(visits.iter().all(|visit| visit.country != country || visit.told_at.is_none()))
    }

    async fn strange_visit(&self, row: &LoginRow, log_in: &LogIn<'_>, found: Finding) -> Result<(), Error> {
        let LogIn { account, country, is_refused, policy, origin, now } = *log_in;
        let until = suspect_until(policy, now);
        let is_throttled = found.is_new && policy.login.new_country == NewCountry::Throttle;
        let act = match (is_refused, is_throttled) {
            (true, _) => "refused",
            (false, true) => "throttled",
            (false, false) => "warned",
        };
        let owed =
            if found.is_told { self.about_visit(row, log_in, is_throttled).await? } else { Vec::new() };
        let mut tx = self.0.store.begin().await?;
        let before = now.saturating_sub(TOLD_AGAIN_AFTER).unwrap_or(Timestamp::MIN);
        if found.is_told && !tx.note_visit_told(account, country, (now, before)).await? {
            // Another of its connections, which come in crowds, was first.
            return Ok(());
        }
        if !is_refused && !found.is_put_off {
            tx.note_visit(account, country, now).await?;
        }
        if is_throttled {
            tx.suspect(account, (now, until)).await?;
        }
        let (trace, remote) = (origin.trace_text(), origin.remote.to_canonical().to_string());
        tx.note(&Event {
            at: now,
            kind: "strange_login",
            trace: &trace,
            account: Some(account),
            remote: Some(&remote),
            sender: None,
            size: None,
            status: Some(&format!("{}: {act}", self.door_of(origin))),
            about: None,
        })
        .await?;
        tx.owe_notices(&owed, now).await?;
        tx.commit().await?;
        tracing::warn!(%account, %country, act, "a log-in from a country that the mailbox is not used from");
        metrics::counter!("congthu_strange_logins_total", "act" => act).increment(1);
        self.send_owed(&owed).await;
        Ok(())
    }

    /// To the owner, and as policy says to whoever looks after the unit and to the centre.
    async fn about_visit(
        &self,
        row: &LoginRow,
        log_in: &LogIn<'_>,
        is_throttled: bool,
    ) -> Result<Vec<OwedNotice>, Error> {
        let LogIn { account, country, policy, now, .. } = *log_in;
        let Some(life) = self.0.store.life(&row.primary).await? else { return Ok(Vec::new()) };
        let told = match policy.login.tell_officers {
            true => self.told_of(&life).await?,
            false => vec![account],
        };
        let (subject, text) = words(&life, log_in, is_throttled, &self.0.settings.password_page);
        let notice = |to: AccountId| OwedNotice {
            key: format!("strange-login/{account}/{country}/{}/{to}", now.as_second()),
            to,
            subject: subject.clone(),
            text: text.clone(),
        };
        Ok(told.into_iter().map(notice).collect())
    }

    pub(crate) async fn forget_visits_job(&self) -> Result<String, Error> {
        let before = self.now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        let mut all = 0;
        loop {
            let forgotten = self.0.store.forget_visits(before, FORGOTTEN_AT_ONCE).await?;
            all += forgotten;
            if forgotten < FORGOTTEN_AT_ONCE.into() {
                return Ok(format!("{all} forgotten"));
            }
        }
    }
}

/// Subject and text of the letter.
fn words(life: &LifeRow, log_in: &LogIn<'_>, is_throttled: bool, page: &str) -> (String, String) {
    let LifeRow { address, display_name, .. } = life;
    let LogIn { country, is_refused, policy, origin, now, .. } = *log_in;
    let (name, english) = (country.vietnamese(), country.english());
    let remote = origin.remote.to_canonical();
    let (door, days) = (door_vietnamese(origin.protocol), policy.login.country_days);
    let support = format!("{}@{}", policy.contact.support, address.domain());
    let done = if is_refused { "bị từ chối đăng nhập" } else { "được đăng nhập" };
    let subject = format!("Hộp thư {address} {done} từ {name}");
    let what = match is_refused {
        true => format!(
            "Lúc {}, có người đã dùng đúng mật khẩu của hộp thư {address} ({display_name}) để đăng nhập từ {name} và bị từ chối, vì \
             quy định chỉ cho phép đăng nhập từ {}.",
            written_time(now),
            policy.login.countries.iter().map(|country| country.vietnamese()).collect::<Vec<_>>().join(", ")
        ),
        false => format!(
            "Lúc {}, hộp thư {address} ({display_name}) được đăng nhập từ {name}, nơi hộp thư này không đăng nhập trong {days} \
             ngày qua.",
            written_time(now)
        ),
    };
    let (less, less_english) = if is_throttled {
        let until = suspect_until(policy, now);
        (
            format!(
                " Để đề phòng, đến {} hộp thư này chỉ được gửi ít thư hơn bình thường.",
                written_time(until)
            ),
            format!(" Until {} it may send less than usual.", local_text(until)),
        )
    } else {
        (String::new(), String::new())
    };
    let (was, other) = if is_refused {
        ("refused to a log-in", "")
    } else {
        ("logged in to", " where it was not used lately,")
    };
    let text = format!(
        "{what}\n\nDịch vụ: {door}\nĐịa chỉ IP: {remote}\n\nNếu chính chủ hộp thư đăng nhập (đi công tác, dùng mạng riêng ảo), \
         không phải làm gì thêm. Nếu không phải, mật khẩu đã bị lộ: hãy đổi mật khẩu ngay tại {page}, báo bộ phận hỗ trợ \
         ({support}), và kiểm tra thư đã gửi, thư tự động chuyển tiếp.{less}\n\n--\nAt {} the mailbox was {was} from {english},{other} \
         by {}, address {remote}. If that was not its owner, the password is known to somebody else: change it at {page} and tell \
         {support}.{less_english}",
        local_text(now),
        origin.protocol.as_str(),
    );
    (subject, text)
}

const fn door_vietnamese(door: Protocol) -> &'static str {
    match door {
        Protocol::Imap => "đọc thư (IMAP)",
        Protocol::Submission => "gửi thư (SMTP)",
        Protocol::Sieve => "quản lý bộ lọc thư (ManageSieve)",
        Protocol::Http => "trang đổi mật khẩu",
        Protocol::Smtp | Protocol::Lmtp | Protocol::Console => "dịch vụ khác",
    }
}
