//! Reviews of units' mailboxes: opened on time, told of, answered in one form, and nobody's but the unit's.

use super::authority::unit;
use super::{PASSWORD, World, actor, address, mailbox, origin, policy};
use crate::{
    Actor, AdminError, AdminTarget, NewMailbox, NewUnit, Principal, RequestQuery, ReviewAnswer,
    ReviewAnswerRow, ReviewDetail, ReviewError, ReviewFault, ReviewMistake, ReviewQuery, RoleOver,
};
use jiff::SignedDuration;
use model::lifecycle::LockReason;
use model::{DomainName, RequestKind, ReviewDecision, Role};

fn domain() -> DomainName {
    DomainName::new("demo.gov.vn").unwrap()
}

async fn add(world: &World, name: &str, unit: Option<&str>) {
    let new = NewMailbox { unit: unit.map(str::to_owned), ..mailbox(name) };
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
}

async fn log_in(world: &World, name: &str) -> Principal {
    world.engine.log_in(&format!("{name}@demo.gov.vn"), PASSWORD, &origin()).await.unwrap()
}

async fn give(world: &World, name: &str, role: Role, unit: Option<&str>) -> Actor {
    let (domain, holder) = (domain(), address(name));
    let over = match unit {
        Some(code) => AdminTarget::UnitCode(&domain, code),
        None => AdminTarget::Domain(&domain),
    };
    let given = RoleOver { holder: &holder, role, over };
    world.engine.grant_role(&actor(), &given, None, "QĐ 1").await.unwrap();
    world.engine.actor_of(&log_in(world, name).await).await.unwrap()
}

/// Two units with mailboxes and one without; an officer of each of the two, one above, one of the centre. The clock stands at the
/// 22nd of November 2026, a Sunday.
struct Province {
    world: World,
    so: Actor,
    khac: Actor,
}

impl Province {
    async fn new() -> Self {
        let world = World::new().await;
        for (code, parent) in [("tinh", None), ("so", Some("tinh")), ("khac", Some("tinh"))] {
            world
                .engine
                .add_unit(&actor(), &unit("demo.gov.vn", code, parent), crate::Founding::default())
                .await
                .unwrap();
        }
        // On the clock that stands still, not on the database's.
        for (name, of) in [("an", "so"), ("binh", "so"), ("chi", "so"), ("dung", "khac")] {
            add(&world, name, Some(of)).await;
        }
        for name in ["trung-tam", "tinh1"] {
            add(&world, name, None).await;
        }
        give(&world, "trung-tam", Role::CentreOperator, None).await;
        give(&world, "tinh1", Role::OrganisationOfficer, Some("tinh")).await;
        let so = give(&world, "an", Role::OrganisationOfficer, Some("so")).await;
        let khac = give(&world, "dung", Role::OrganisationOfficer, Some("khac")).await;
        Self { world, so, khac }
    }

    async fn night(&self) -> String {
        self.world.engine.run_job("keep-reviews").await.unwrap().unwrap()
    }

    fn days(&self, days: i64) {
        self.world.clock.advance(SignedDuration::from_hours(24 * days));
    }

    async fn list(&self, who: &Actor, (finished, overdue): (bool, bool)) -> Vec<ReviewDetail> {
        let domain = domain();
        let query = ReviewQuery { domain: &domain, finished, overdue, after: 0, limit: 10 };
        self.world.engine.reviews(who, query).await.unwrap()
    }

    /// Subjects of what came into somebody's mailbox, in their order.
    async fn told(&self, name: &str) -> Vec<String> {
        let query = format!(
            "select key from notices n join addresses g using (account_id)
              where g.address = '{name}@demo.gov.vn' and key like 'review%' order by sent_at, key"
        );
        let keys = self.world.database.texts(&query).await;
        keys.into_iter().map(|key| key.rsplit_once('/').unwrap().0.to_owned()).collect()
    }

    async fn open(&self, code: &str) -> i64 {
        self.world.engine.open_review(&actor(), &domain(), code).await.unwrap().review.review
    }

    async fn requests(&self) -> Vec<(RequestKind, String, String, String)> {
        let domain = domain();
        let query = RequestQuery { domain: &domain, settled: true, overdue: false, after: 0, limit: 100 };
        let all = self.world.engine.requests(&actor(), query).await.unwrap();
        all.into_iter()
            .map(|one| (one.kind, one.address.unwrap().to_string(), one.requested_by, one.detail))
            .collect()
    }
}

fn row(number: u32, name: &str, decision: &str, remark: &str) -> ReviewAnswerRow {
    let address = format!("{name}@demo.gov.vn");
    ReviewAnswerRow { number, address, decision: decision.into(), remark: remark.into() }
}

fn form(rows: &[ReviewAnswerRow]) -> ReviewAnswer {
    ReviewAnswer { rows: rows.to_vec(), ..ReviewAnswer::default() }
}

fn all_confirmed() -> ReviewAnswer {
    ReviewAnswer { rest_confirmed: true, ..ReviewAnswer::default() }
}

#[tokio::test]
async fn reviews_open_on_time_once_and_are_told_of() {
    let province = Province::new().await;
    let centre = actor();
    policy(&province.world, "request.review_months", "6").await;
    assert_eq!(province.night().await, "0 opened, 0 reminded of, 0 ended without mailboxes");
    // Six months from the 22nd of November are over on the 22nd of May, and not the day before.
    province.days(180);
    assert!(province.night().await.starts_with("0 opened"));
    province.days(1);
    assert!(province.night().await.starts_with("2 opened"), "tinh has no mailboxes of its own");
    assert!(province.night().await.starts_with("0 opened"));
    let open = province.list(&centre, (false, false)).await;
    let codes: Vec<&str> = open.iter().map(|one| one.review.unit_code.as_str()).collect();
    assert_eq!(codes, ["so", "khac"]);
    // Ten working days from Saturday, the 22nd of May 2027.
    assert_eq!((open[0].review.due_on.to_string().as_str(), open[0].review.listed), ("2027-06-04", 3));
    let number = open[0].review.review;
    // The nearest officer is told, not the one above him.
    assert_eq!(province.told("an").await, [format!("review/{number}/opened")]);
    assert!(province.told("tinh1").await.is_empty() && province.told("binh").await.is_empty());
    let letter = province.world.read(&log_in(&province.world, "an").await, "INBOX").await;
    let letter = String::from_utf8(letter[0].1.clone()).unwrap();
    assert!(letter.contains("Auto-Submitted: auto-generated"), "{letter}");
    province.world.engine.answer_review(&province.so, number, &all_confirmed()).await.unwrap();
    // The next one comes six months after this one ended.
    province.days(183);
    assert!(province.night().await.starts_with("0 opened"));
    province.days(1);
    assert!(province.night().await.starts_with("1 opened"), "khac's is still open");
}

#[tokio::test]
async fn a_shorter_term_counts_from_the_day_a_unit_was_entered() {
    let province = Province::new().await;
    policy(&province.world, "request.review_months", "3").await;
    province.days(40);
    // Founded long ago, and entered today.
    let old = NewUnit { on: Some("2020-01-01".parse().unwrap()), ..unit("demo.gov.vn", "cu", None) };
    province.world.engine.add_unit(&actor(), &old, crate::Founding::default()).await.unwrap();
    add(&province.world, "em", Some("cu")).await;
    assert!(province.night().await.starts_with("0 opened"));
    policy(&province.world, "request.review_months", "1").await;
    assert!(province.night().await.starts_with("2 opened"), "so and khac, whose month is over");
    province.days(31);
    assert!(province.night().await.starts_with("1 opened"));
}

#[tokio::test]
async fn the_letter_of_a_review_lists_the_mailboxes_and_says_how_to_answer() {
    let province = Province::new().await;
    let engine = &province.world.engine;
    engine.lock(&actor(), &address("chi"), LockReason::Requested, "CV 1").await.unwrap();
    let number = province.open("so").await;
    let letters = province.world.letters(&log_in(&province.world, "an").await).await;
    let letter = letters.iter().find(|letter| letter.starts_with("Rà soát danh sách hộp thư")).unwrap();
    // In order of their addresses, with name and state; nobody else's, and not when each was last used.
    let listed = "Danh sách hộp thư: 1. an@demo.gov.vn - Nguyễn Văn A (đang sử dụng) \
                  2. binh@demo.gov.vn - Nguyễn Văn A (chưa đăng nhập lần nào) \
                  3. chi@demo.gov.vn - Nguyễn Văn A (tạm khóa) Cách trả lời: ";
    assert!(letter.contains(listed), "{letter}");
    assert!(!letter.contains("dung@demo.gov.vn") && !letter.contains("hộp thư khác"), "{letter}");
    // The columns and words that `congthu review answer` reads.
    for said in [
        format!("Số của kỳ rà soát: {number}."),
        "ba cột \"địa chỉ\", \"kết quả\" (xác nhận, thay đổi hoặc thu hồi) và \"ghi chú\"".to_owned(),
        "gồm 3 hộp thư.".to_owned(),
    ] {
        assert!(letter.contains(&said), "{said}: {letter}");
    }
}

#[tokio::test]
async fn what_is_overdue_shows_and_is_told_of_once() {
    let province = Province::new().await;
    let (so, khac) = (province.open("so").await, province.open("khac").await);
    let again = province.world.engine.open_review(&actor(), &domain(), "so").await;
    assert_eq!(again.unwrap_err(), ReviewError::Open);
    let empty = province.world.engine.open_review(&actor(), &domain(), "tinh").await;
    assert_eq!(empty.unwrap_err(), ReviewError::NoMailboxes);
    // Due on Friday, the 4th of December.
    province.days(12);
    assert!(province.night().await.contains("0 reminded of"));
    assert!(province.list(&actor(), (false, true)).await.is_empty());
    province.days(1);
    assert!(province.night().await.contains("2 reminded of"));
    assert!(province.night().await.contains("0 reminded of"));
    province.days(30);
    assert!(province.night().await.contains("0 reminded of"));
    let overdue = province.list(&actor(), (false, true)).await;
    assert_eq!(overdue.iter().map(|one| one.is_overdue).collect::<Vec<_>>(), [true, true]);
    assert_eq!(province.told("an").await, [format!("review/{so}/opened"), format!("review/{so}/overdue")]);
    assert_eq!(province.told("trung-tam").await, [format!("reviews-overdue/{so}")]);
    // An officer sees his own; where no mailbox is left, it ends by itself.
    assert_eq!(province.list(&province.khac, (false, true)).await[0].review.review, khac);
    assert_eq!(province.list(&province.khac, (true, false)).await.len(), 1);
    let gone = "update accounts set unit_id = null from addresses g
                 where g.account_id = accounts.account_id and g.address = 'dung@demo.gov.vn'";
    province.world.database.run(gone).await;
    assert!(province.night().await.ends_with("1 ended without mailboxes"));
    assert!(province.list(&province.khac, (false, false)).await.is_empty());
    assert_eq!(province.world.audited("review.end").await, [format!("demo.gov.vn/review/{khac}")]);
}

#[tokio::test]
async fn one_form_confirms_and_asks_the_centre() {
    let province = Province::new().await;
    let engine = &province.world.engine;
    let number = province.open("so").await;
    add(&province.world, "em", Some("so")).await;
    policy(&province.world, "request.watchers", "true").await;
    engine.watch_unit(&actor(), &domain(), ("so", &address("tinh1"), true)).await.unwrap();
    let shown = engine.review(&province.so, number).await.unwrap();
    let new: Vec<bool> = shown.mailboxes.iter().map(|one| one.is_new).collect();
    assert_eq!(new, [false, false, false, true]);
    let rows = [
        row(2, "AN", "Xác nhận", ""),
        row(3, "binh", "change", "Đổi tên hiển thị"),
        row(4, "chi", "THU HỒI", "Nghỉ hưu"),
    ];
    let wanted = ReviewAnswer { document: "12/CV-SO".into(), note: "Đợt 1".into(), ..form(&rows) };
    let tried = ReviewAnswer { dry_run: true, ..wanted.clone() };
    let planned = engine.answer_review(&province.so, number, &tried).await.unwrap();
    assert_eq!(planned.decisions.iter().map(|one| one.request).collect::<Vec<_>>(), [None; 3]);
    assert!(
        province.requests().await.is_empty() && province.world.audited("review.confirm").await.is_empty()
    );
    let answered = engine.answer_review(&province.so, number, &wanted).await.unwrap();
    assert_eq!(answered.unanswered, [address("em")]);
    let [confirmed, changed, revoked] = &answered.decisions[..] else { panic!("{answered:?}") };
    assert_eq!((confirmed.decision, confirmed.request), (ReviewDecision::Confirm, None));
    assert!(changed.request.is_some() && revoked.request.is_some());
    let officer = "an@demo.gov.vn".to_owned();
    let expected = [
        (RequestKind::Change, "binh@demo.gov.vn".to_owned(), officer.clone(), "Đổi tên hiển thị".to_owned()),
        (RequestKind::Revoke, "chi@demo.gov.vn".to_owned(), officer, "Nghỉ hưu".to_owned()),
    ];
    assert_eq!(province.requests().await, expected);
    // One row of the log, one receipt; nothing was done to a mailbox.
    assert_eq!(province.world.audited("review.confirm").await, [format!("demo.gov.vn/review/{number}")]);
    assert!(province.world.audited("request.create").await.is_empty());
    assert_eq!(province.told("an").await.len(), 2);
    assert_eq!(province.told("tinh1").await, [format!("review/{number}/answered")], "who follows the unit");
    assert!(engine.life(&actor(), &address("chi")).await.unwrap().is_some());
    let shown = engine.review(&actor(), number).await.unwrap();
    assert_eq!((shown.decisions, shown.mailboxes.len()), (answered.decisions, 0));
    let ReviewDetail { review, .. } = shown.detail;
    assert_eq!((review.confirmed, review.changed, review.revoked), (1, 1, 1));
    assert_eq!((review.finished.unwrap().1.as_str(), review.note.as_str()), ("an@demo.gov.vn", "Đợt 1"));
    let again = engine.answer_review(&province.so, number, &all_confirmed()).await;
    assert_eq!(again.unwrap_err(), ReviewError::Finished);
}

#[tokio::test]
async fn two_who_answer_at_once_make_one_answer() {
    let province = Province::new().await;
    let number = province.open("so").await;
    let wanted = ReviewAnswer { rows: vec![row(1, "chi", "revoke", "")], ..all_confirmed() };
    let other = province.world.another_node();
    let (one, two) = tokio::join!(
        province.world.engine.answer_review(&province.so, number, &wanted),
        other.answer_review(&province.so, number, &wanted),
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(province.requests().await.len(), 1);
    assert_eq!(province.world.audited("review.confirm").await.len(), 1);
}

#[tokio::test]
async fn nobody_reviews_or_sees_another_units_mailboxes() {
    let province = Province::new().await;
    let engine = &province.world.engine;
    let (so, khac) = (province.open("so").await, province.open("khac").await);
    assert_eq!(engine.review(&province.khac, so).await.unwrap_err(), ReviewError::NoSuchReview(so));
    let answered = engine.answer_review(&province.khac, so, &all_confirmed()).await;
    assert_eq!(answered.unwrap_err(), ReviewError::NoSuchReview(so));
    assert_eq!(engine.review(&actor(), 999).await.unwrap_err(), ReviewError::NoSuchReview(999));
    let opened = engine.open_review(&province.khac, &domain(), "so").await;
    assert_eq!(opened.unwrap_err(), AdminError::NoSuchUnit("so".into()).into());
    let owner = engine.actor_of(&log_in(&province.world, "binh").await).await.unwrap();
    assert_eq!(engine.review(&owner, so).await.unwrap_err(), ReviewError::NoSuchReview(so));
    assert!(province.list(&owner, (true, false)).await.is_empty());
    // A mailbox of another unit is none of this one.
    let wanted = ReviewAnswer { rows: vec![row(1, "an", "revoke", "")], ..all_confirmed() };
    let fault = ReviewFault {
        row: Some(1),
        cell: "address",
        mistake: ReviewMistake::NotOfUnit("\"an@demo.gov.vn\"".into()),
    };
    let refused = engine.answer_review(&province.khac, khac, &wanted).await;
    assert_eq!(refused.unwrap_err(), ReviewError::Rows(vec![fault]));
    // In the name of an officer who may, by whoever is at the console alone.
    let in_name = |name: &str| ReviewAnswer {
        rows: vec![row(1, "chi", "revoke", "")],
        by: Some(address(name)),
        ..all_confirmed()
    };
    assert!(engine.answer_review(&province.so, so, &in_name("an")).await.is_err());
    for other in ["dung", "binh"] {
        assert!(engine.answer_review(&actor(), so, &in_name(other)).await.is_err(), "{other}");
    }
    assert!(province.requests().await.is_empty());
    engine.answer_review(&actor(), so, &in_name("an")).await.unwrap();
    assert_eq!(province.requests().await[0].2, "an@demo.gov.vn (test)");
    assert_eq!(province.told("an").await.len(), 2);
}

#[tokio::test]
async fn a_wrong_list_changes_nothing_and_says_row_and_cell() {
    let province = Province::new().await;
    let engine = &province.world.engine;
    let number = province.open("so").await;
    let rows = [
        row(2, "an", "confirm", ""),
        row(3, "binh", "chan", "đổi tên"),
        row(4, "an", "revoke", ""),
        row(5, "chi", "change", " "),
        row(6, "khong-co", "revoke", "a\u{1}b"),
        row(7, "chi", "", ""),
    ];
    let refused = engine.answer_review(&province.so, number, &form(&rows)).await.unwrap_err().to_string();
    for said in [
        "row 3, decision: \"chan\" is none of confirm, change, revoke",
        "row 4, address: \"an@demo.gov.vn\" is in row 2, too",
        "row 5, remark: say what is to be changed",
        "row 6, address: \"khong-co@demo.gov.vn\" is no mailbox of the unit",
        "row 6, remark: a remark has at most 1,000 characters",
        "row 7, address: \"chi@demo.gov.vn\" is in row 5, too",
        "row 7, decision: \"\" is none of",
    ] {
        assert!(refused.contains(said), "{said}: {refused}");
    }
    // Cut off behind its second row.
    let torn = [row(2, "an", "confirm", ""), row(3, "binh", "revoke", "")];
    let refused = engine.answer_review(&province.so, number, &form(&torn)).await.unwrap_err();
    assert_eq!(refused.to_string(), "nothing was done:\nnothing is said of chi@demo.gov.vn");
    let many: Vec<ReviewAnswerRow> = (1..=20_001).map(|number| row(number, "an", "confirm", "")).collect();
    let refused = engine.answer_review(&province.so, number, &form(&many)).await.unwrap_err();
    assert_eq!(refused, ReviewError::TooManyRows);
    assert!(
        province.requests().await.is_empty() && province.world.audited("review.confirm").await.is_empty()
    );
    assert_eq!(province.list(&province.so, (false, false)).await.len(), 1);
    // Case and marks do not matter; each said once is enough.
    let whole = [row(2, "AN", "CONFIRM", ""), row(3, "binh", "revoke", ""), row(4, "chi", "xac nhan", "")];
    assert!(engine.answer_review(&province.so, number, &form(&whole)).await.is_ok());
}
