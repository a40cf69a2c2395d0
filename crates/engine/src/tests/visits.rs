//! Log-ins from countries that a mailbox is not used from: noted, told once, throttled, refused; and what becomes of a mailbox that
//! then sends as no person would.

use super::sending::{limit, person, send, subjects};
use super::{PASSWORD, World, actor, address, mailbox, origin, policy};
use crate::{ChangeError, LoginError, LoginQuery, Origin, Principal, Protocol};
use jiff::SignedDuration;
use model::lifecycle::{Life, LockReason};
use model::sending::Limit;
use model::{Countries, MailboxClass};
use std::time::Duration;

const AT_HOME: &str = "14.160.0.7";
const ABROAD: &str = "5.8.0.1";

/// One network for each of these countries, and the province's own.
pub(super) fn countries() -> Countries {
    let mut countries = Countries::new(vec!["14.160.9.0/24".parse().unwrap()]);
    let table = "14.160.0.0,14.191.255.255,VN\n5.8.0.0,5.8.255.255,RU\n8.8.0.0,8.8.255.255,US\n1.12.0.0,1.12.255.255,CN\n\
                 2.0.0.0,2.0.255.255,FR\n2001:da8::,2001:da8:ffff:ffff:ffff:ffff:ffff:ffff,CN\n10.0.0.0,10.255.255.255,US\n";
    countries.add_table(table).unwrap();
    countries
}

fn from(remote: &str) -> Origin {
    Origin { remote: remote.parse().unwrap(), protocol: Protocol::Imap, ..origin() }
}

async fn log_in(world: &World, remote: &str) -> Result<Principal, LoginError> {
    world.engine.log_in("an@demo.gov.vn", PASSWORD, &from(remote)).await
}

/// A mailbox that is used at home.
async fn at_home() -> (World, Principal) {
    let world = World::new().await;
    world.engine.use_countries(countries());
    world.engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap();
    let an = log_in(&world, AT_HOME).await.unwrap();
    (world, an)
}

const SUBJECT: &str = "Hộp thư an@demo.gov.vn được đăng nhập từ Nga";

#[tokio::test]
async fn a_log_in_from_a_new_country_is_told_once_and_stops_nobody() {
    let (world, an) = at_home().await;
    assert!(subjects(&world, &an).await.is_empty(), "the first ever is none from a new country");
    log_in(&world, ABROAD).await.unwrap();
    let letters = world.letters(&an).await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    for words in [
        SUBJECT,
        "Lúc 08 giờ 00 ngày 22/11/2026, hộp thư an@demo.gov.vn (Nguyễn Văn A) được đăng nhập từ Nga, nơi hộp thư này không đăng nhập \
         trong 180 ngày qua.",
        "Dịch vụ: đọc thư (IMAP) Địa chỉ IP: 5.8.0.1",
        "hãy đổi mật khẩu ngay tại https://mail.demo.gov.vn/mat-khau, báo bộ phận hỗ trợ (hotro@demo.gov.vn)",
        "the mailbox was logged in to from Russia, where it was not used lately, by imap, address 5.8.0.1.",
    ] {
        assert!(letter.contains(words), "{words}\n{letter}");
    }
    for hours in [0, 13, 24 * 100] {
        world.forward(hours, 0);
        log_in(&world, ABROAD).await.unwrap();
        log_in(&world, AT_HOME).await.unwrap();
    }
    assert_eq!(subjects(&world, &an).await.len(), 1);
    let events = "select concat_ws(' ', account_id, remote, status) from events where kind = 'strange_login'";
    assert_eq!(world.database.texts(events).await, [format!("{} 5.8.0.1 imap RU: warned", an.account())]);
    // Half a year of home later it is a new one again.
    world.forward(24 * 179, 0);
    log_in(&world, AT_HOME).await.unwrap();
    world.forward(24 * 2, 0);
    log_in(&world, ABROAD).await.unwrap();
    assert_eq!(subjects(&world, &an).await.len(), 2);
    let life = world.engine.life(&actor(), &address("an")).await.unwrap().unwrap().life;
    assert!(matches!(life, Life::Active { .. }));
}

#[tokio::test]
async fn every_log_in_is_kept_with_its_country_where_countries_are_known() {
    let world = World::new().await;
    world.engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap();
    log_in(&world, ABROAD).await.unwrap();
    assert_eq!(world.number("select count(*) from login_countries").await, 0, "nobody asked for it");
    world.engine.use_countries(countries());
    for remote in [AT_HOME, "14.160.9.7", "10.0.0.1", "2001:da8::1"] {
        world.clock.advance(SignedDuration::from_secs(1));
        log_in(&world, remote).await.unwrap();
    }
    world.clock.advance(SignedDuration::from_secs(1));
    world.engine.log_in("an@demo.gov.vn", "sai", &from("8.8.0.1")).await.unwrap_err();
    world.clock.advance(SignedDuration::from_secs(1));
    let http = Origin { protocol: Protocol::Http, ..from(AT_HOME) };
    world.engine.change_password("an@demo.gov.vn", PASSWORD, "Rừng tràm 27!", &http).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(1));
    let query = LoginQuery { address: &address("an"), since: None, until: None, limit: 100 };
    let seen = world.engine.logins(&actor(), &query).await.unwrap().logins;
    let country = |at: usize| seen[at].country.map_or_else(|| "-".to_owned(), |country| country.to_string());
    assert_eq!((0..7).map(country).collect::<Vec<_>>(), ["VN", "US", "CN", "-", "-", "VN", "-"]);
    let known = world.database.texts("select country from login_countries order by country").await;
    assert_eq!(known, ["CN", "VN"], "a guess is no visit, nor is who comes from a network of our own");
}

#[tokio::test]
async fn the_centre_and_the_officers_are_told_unless_policy_keeps_it_to_the_owner() {
    let (world, an) = at_home().await;
    let centre = person(&world, "xulythurac", MailboxClass::Service).await;
    log_in(&world, ABROAD).await.unwrap();
    assert_eq!(subjects(&world, &centre).await, [SUBJECT]);
    policy(&world, "login.tell_officers", "false").await;
    log_in(&world, "8.8.0.1").await.unwrap();
    assert_eq!((subjects(&world, &centre).await.len(), subjects(&world, &an).await.len()), (1, 2));
}

#[tokio::test]
async fn a_crowd_of_connections_and_of_countries_makes_few_letters() {
    let (world, an) = at_home().await;
    let world = std::sync::Arc::new(world);
    let nodes = [world.engine.clone(), world.another_node()];
    nodes[1].use_countries(countries());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..12 {
        let node = nodes[n % 2].clone();
        tasks.spawn(async move { node.log_in("an@demo.gov.vn", PASSWORD, &from(ABROAD)).await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(subjects(&world, &an).await, [SUBJECT]);
    for remote in ["8.8.0.1", "1.12.0.1", "2.0.0.1"] {
        log_in(&world, remote).await.unwrap();
    }
    assert_eq!(subjects(&world, &an).await.len(), 3, "three countries in a day");
    let events = async || world.number("select count(*) from events where kind = 'strange_login'").await;
    assert_eq!(events().await, 4, "and the fourth is on record");
    for _ in 0..3 {
        log_in(&world, "2.0.0.1").await.unwrap();
    }
    assert_eq!(events().await, 4, "once");
    world.forward(25, 0);
    for _ in 0..3 {
        log_in(&world, "2.0.0.1").await.unwrap();
    }
    let told = subjects(&world, &an).await;
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[3].ends_with("được đăng nhập từ Pháp"), "it has not become usual in silence: {told:?}");
    assert_eq!(events().await, 5);
}

/// What the existing detection is for: whoever has the password comes from far away, and then writes to strangers.
#[tokio::test]
async fn a_throttled_mailbox_may_send_less_and_is_locked_only_for_what_it_sends() {
    let (world, an) = at_home().await;
    policy(&world, "login.new_country", "throttle").await;
    let thief = log_in(&world, ABROAD).await.unwrap();
    let letter = world.letters(&an).await.remove(0);
    assert!(
        letter.contains("đến 08 giờ 00 ngày 23/11/2026 hộp thư này chỉ được gửi ít thư hơn bình thường"),
        "{letter}"
    );
    let life = async || world.engine.life(&actor(), &address("an")).await.unwrap().unwrap().life;
    for n in 0..10 {
        send(&world, &thief, &[&format!("nguoi{n}@example.org")]).await.unwrap();
    }
    for n in 10..29 {
        let refused = send(&world, &thief, &[&format!("nguoi{n}@example.org")]).await;
        assert_eq!(limit(refused), Some(Limit::MessagesPerHour), "a tenth of 100 an hour");
    }
    assert!(matches!(life().await, Life::Active { .. }));
    limit(send(&world, &thief, &["nguoi30@example.org"]).await).unwrap();
    assert!(matches!(life().await, Life::Locked { reason: LockReason::Spam, .. }), "a tenth of 200 refused");
    assert_eq!(log_in(&world, AT_HOME).await.unwrap_err(), LoginError::Locked);
    // Whoever gets it back did not send that, and is not suspected.
    world.engine.unlock(&actor(), &address("an"), Some("CV 12")).await.unwrap();
    let sent = world.engine.sending_detail(&actor(), &address("an")).await.unwrap().unwrap().sent;
    assert_eq!((sent.hour.messages, sent.suspect_until), (0, None));
}

#[tokio::test]
async fn a_mailbox_that_was_throttled_sends_as_before_when_its_time_is_over() {
    let (world, an) = at_home().await;
    policy(&world, "login.new_country", "throttle").await;
    log_in(&world, ABROAD).await.unwrap();
    let sent = async || world.engine.sending_detail(&actor(), &address("an")).await.unwrap().unwrap().sent;
    assert!(sent().await.suspect_until.is_some());
    for n in 0..10 {
        send(&world, &an, &[&format!("nguoi{n}@example.org")]).await.unwrap();
    }
    limit(send(&world, &an, &["nguoi10@example.org"]).await).unwrap();
    world.forward(24, 0);
    assert_eq!(sent().await.suspect_until, None);
    for n in 0..11 {
        send(&world, &an, &[&format!("nguoi{n}@example.org")]).await.unwrap();
    }
}

#[tokio::test]
async fn where_policy_names_countries_nobody_else_comes_in_with_the_right_password() {
    let (world, an) = at_home().await;
    policy(&world, "login.new_country", "refuse").await;
    policy(&world, "login.countries", "VN,US").await;
    assert_eq!(log_in(&world, ABROAD).await.unwrap_err(), LoginError::CountryNotAllowed);
    world.engine.tell_of_barred().await;
    let letter = world.letters(&an).await.remove(0);
    for words in [
        "Hộp thư an@demo.gov.vn bị từ chối đăng nhập từ Nga",
        "có người đã dùng đúng mật khẩu của hộp thư an@demo.gov.vn (Nguyễn Văn A) để đăng nhập từ Nga và bị từ chối, vì quy định chỉ cho \
         phép đăng nhập từ Việt Nam, Hoa Kỳ.",
    ] {
        assert!(letter.contains(words), "{words}\n{letter}");
    }
    for _ in 0..40 {
        assert_eq!(log_in(&world, ABROAD).await.unwrap_err(), LoginError::CountryNotAllowed);
    }
    let http = Origin { protocol: Protocol::Http, ..from(ABROAD) };
    let changed = world.engine.change_password("an@demo.gov.vn", PASSWORD, "Rừng tràm 27!", &http).await;
    assert_eq!(changed, Err(ChangeError::LogIn(LoginError::CountryNotAllowed)));
    let wrong = world.engine.log_in("an@demo.gov.vn", "sai", &from(ABROAD)).await;
    assert_eq!(wrong.unwrap_err(), LoginError::Denied, "who guesses learns nothing");
    log_in(&world, AT_HOME).await.unwrap();
    log_in(&world, "10.0.0.1").await.unwrap();
    world.engine.tell_of_barred().await;
    assert_eq!(subjects(&world, &an).await.len(), 1);
    log_in(&world, "8.8.0.1").await.unwrap();
    assert_eq!(subjects(&world, &an).await.len(), 2, "allowed, and new");
    let query = LoginQuery { address: &address("an"), since: None, until: None, limit: 1_000 };
    world.clock.advance(SignedDuration::from_secs(1));
    let seen = world.engine.logins(&actor(), &query).await.unwrap().logins;
    let refused =
        seen.iter().filter(|login| login.outcome.reason_vietnamese().contains("quốc gia này")).count();
    assert_eq!(refused, 42, "each is on record");
}

#[tokio::test]
async fn where_policy_names_countries_nobody_comes_in_from_where_no_table_knows() {
    let (world, an) = at_home().await;
    let (gap, gap_v6) = ("198.51.100.7", "2001:4860::1");
    for remote in [gap, gap_v6] {
        log_in(&world, remote).await.unwrap();
    }
    assert!(subjects(&world, &an).await.is_empty(), "a gap in a table is nothing strange");
    assert_eq!(world.database.texts("select country from login_countries").await, ["VN"]);
    policy(&world, "login.new_country", "refuse").await;
    for remote in [gap, gap_v6] {
        assert_eq!(log_in(&world, remote).await.unwrap_err(), LoginError::CountryNotAllowed, "{remote}");
    }
    // Networks of our own, and those that nobody on the Internet is in.
    for remote in [AT_HOME, "14.160.9.7", "10.0.0.1", "127.0.0.1", "::1", "fd00::7", "fe80::1"] {
        log_in(&world, remote).await.unwrap();
    }
    world.engine.tell_of_barred().await;
    let letters = world.letters(&an).await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    for words in [
        "Hộp thư an@demo.gov.vn bị từ chối đăng nhập từ nơi không rõ quốc gia",
        "Địa chỉ IP: 198.51.100.7",
        "the mailbox was refused to a log-in from an unknown country",
    ] {
        assert!(letter.contains(words), "{words}\n{letter}");
    }
    world.engine.use_countries(Countries::default());
    log_in(&world, gap).await.unwrap();
}

/// Whoever guesses from where he could not come in anyway: not by what is said of the mailbox, nor by how long it takes, nor by what
/// counts.
#[tokio::test]
async fn who_is_kept_out_cannot_tell_the_right_password_from_a_wrong_one() {
    let (world, an) = at_home().await;
    policy(&world, "login.new_country", "refuse").await;
    let mut new = mailbox("moi");
    new.must_change_password = true;
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
    world.engine.add_mailbox(&actor(), &mailbox("khoa")).await.unwrap();
    world.engine.lock(&actor(), &address("khoa"), LockReason::Spam, "CV 3").await.unwrap();
    for (name, at_home) in [("moi", LoginError::PasswordChangeRequired), ("khoa", LoginError::Locked)] {
        let login = format!("{name}@demo.gov.vn");
        for (remote, why) in [(AT_HOME, at_home), (ABROAD, LoginError::CountryNotAllowed)] {
            let refused = world.engine.log_in(&login, PASSWORD, &from(remote)).await;
            assert_eq!((refused.unwrap_err(), why.is_hidden()), (why, remote == ABROAD), "{name}");
        }
    }
    // Nobody is told before he is answered.
    assert_eq!(log_in(&world, ABROAD).await.unwrap_err(), LoginError::CountryNotAllowed);
    assert!(subjects(&world, &an).await.is_empty());
    world.engine.tell_of_barred().await;
    assert_eq!(subjects(&world, &an).await.len(), 1);
    // It counts with the wrong ones: a thirtieth try is the last, whichever was right.
    let guess = async |n: u32| {
        let password = if n == 15 { PASSWORD.to_owned() } else { n.to_string() };
        world.engine.log_in("an@demo.gov.vn", &password, &from("8.8.0.1")).await.unwrap_err()
    };
    for n in 0..30 {
        let why = if n == 15 { LoginError::CountryNotAllowed } else { LoginError::Denied };
        assert_eq!(guess(n).await, why, "{n}");
    }
    assert_eq!(guess(30).await, LoginError::TooManyAttempts);
    // While nobody may compute, only who may come in is let in by what is remembered.
    log_in(&world, AT_HOME).await.unwrap();
    let _all = world.engine.0.passwords.occupy().await;
    log_in(&world, AT_HOME).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_millis(200), log_in(&world, ABROAD)).await;
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn whoever_gets_his_mailbox_back_is_told_of_that_country_again() {
    let (world, _) = at_home().await;
    log_in(&world, ABROAD).await.unwrap();
    let an = address("an");
    world.engine.lock(&actor(), &an, LockReason::TakenOver, "lộ mật khẩu").await.unwrap();
    assert_eq!(world.number("select count(*) from login_countries where country = 'RU'").await, 1);
    world.engine.unlock(&actor(), &an, Some("CV 12")).await.unwrap();
    assert_eq!(world.database.texts("select country from login_countries").await, ["VN"]);
}

#[tokio::test]
async fn what_is_old_is_forgotten_but_for_where_a_mailbox_was_last() {
    let (world, _) = at_home().await;
    log_in(&world, ABROAD).await.unwrap();
    world.forward(24, 0);
    log_in(&world, "8.8.0.1").await.unwrap();
    world.forward(24 * 761, 0);
    assert_eq!(world.engine.forget_visits_job().await.unwrap(), "2 forgotten");
    assert_eq!(world.database.texts("select country from login_countries").await, ["US"]);
}
