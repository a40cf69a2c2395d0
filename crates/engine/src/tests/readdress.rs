//! Units that change, and the addresses that are made of them.

use super::named::Province;
use super::{World, actor, address, mailbox};
use crate::{NewMailbox, UnitAct, UnitChange};
use model::MailboxClass;

impl Province<'_> {
    async fn act(&self, act: UnitAct, dry_run: bool) -> UnitChange {
        self.engine.change_unit(&actor(), &self.domain, &act, None, dry_run).await.unwrap()
    }

    async fn office(&self, name: &str, unit: &str) -> String {
        let office = self.mailbox(name, MailboxClass::Organisation, Some(unit));
        self.grant(&office).await.unwrap().address.local().to_owned()
    }

    /// The primary address of whoever has this one.
    async fn primary(&self, local: &str) -> String {
        let there =
            self.engine.mailbox(&actor(), &address(&format!("{local}@{}", self.domain))).await.unwrap();
        there.unwrap().address.local().to_owned()
    }

    /// Local parts, old and new.
    fn locals(change: &UnitChange) -> Vec<(&str, &str)> {
        let local = |address: &str| address.len() - address.rsplit_once('@').unwrap().1.len() - 1;
        change.addresses.iter().map(|(old, new)| (&old[..local(old)], &new[..local(new)])).collect()
    }
}

/// Letters of the system in the mailbox that has this address.
async fn told(world: &World, local: &str) -> i64 {
    let query = format!(
        "select count(*) from notices n join addresses a on a.account_id = n.account_id
          where a.address like '{local}@%' and n.key like 'readdressed/%'"
    );
    world.number(&query).await
}

#[tokio::test]
async fn a_recoded_or_merged_unit_changes_the_addresses_that_name_it() {
    let world = World::new().await;
    let province = Province::new(&world, "lao-cai").await;
    for code in ["stttt", "snv"] {
        province.unit((&format!("Sở {code}"), "so", None, Some(code))).await;
    }
    province.unit(("Phòng Công nghệ", "phong", Some("stttt"), Some("pcn"))).await;
    assert_eq!(province.office("Sở stttt", "stttt").await, "contact-stttt");
    assert_eq!(province.office("Sở snv", "snv").await, "contact-snv");
    province
        .check_people(&[
            ("Giàng A Pao", Some("stttt"), "gapao-stttt"),
            ("Lê Tú", Some("pcn"), "ltu-stttt"),
            ("Giàng A Pao", Some("snv"), "gapao-snv"),
        ])
        .await;
    let chosen = NewMailbox { unit: Some("stttt".into()), ..mailbox("bientap@lao-cai.gov.vn") };
    world.engine.add_mailbox(&actor(), &chosen).await.unwrap();

    let recode = || UnitAct::Recode { unit: "stttt".into(), code: "skhcn".into() };
    let expected =
        [("contact-stttt", "contact-skhcn"), ("gapao-stttt", "gapao-skhcn"), ("ltu-stttt", "ltu-skhcn")];
    let preview = province.act(recode(), true).await;
    assert_eq!(Province::locals(&preview), expected);
    assert_eq!(preview.until.unwrap().to_string(), "2027-11-22");
    assert_eq!(province.primary("gapao-stttt").await, "gapao-stttt", "a preview changes nothing");
    assert_eq!(told(&world, "gapao-stttt").await, 0);

    assert_eq!(Province::locals(&province.act(recode(), false).await), expected);
    for (old, new) in expected {
        assert_eq!(province.primary(old).await, new, "the old one receives");
        world.engine.recipient(&address(&format!("{old}@lao-cai.gov.vn"))).await.unwrap();
        assert_eq!(told(&world, new).await, 1, "its owner is told");
        let shown = world.engine.mailbox(&actor(), &address(&format!("{new}@lao-cai.gov.vn"))).await;
        let aliases = shown.unwrap().unwrap().aliases;
        let ends = aliases.iter().find(|alias| alias.address.local() == old).unwrap().until;
        assert_eq!(ends, preview.until, "and shown");
    }
    assert_eq!(province.primary("bientap").await, "bientap", "nobody's rule made it");

    // Whoever came from the unit that ended gets the address of a later holder; its office keeps its own.
    let merge = UnitAct::Merge { sources: vec!["snv".into()], into: "skhcn".into(), keep_positions: false };
    let merged = province.act(merge, false).await;
    assert_eq!(Province::locals(&merged), [("gapao-snv", "paoga-skhcn")]);
    assert_eq!(province.primary("contact-snv").await, "contact-snv");
    let last = world.audited("unit.merge").await;
    assert_eq!(last, ["lao-cai.gov.vn/unit/skhcn"]);
}

#[tokio::test]
async fn a_renamed_unit_and_those_below_it_get_addresses_of_the_new_name_and_back() {
    let world = World::new().await;
    let province = Province::new(&world, "an-giang").await;
    province.unit(("Sở Nội vụ", "so", None, Some("snv"))).await;
    province.unit(("Phòng Tổ chức Cán bộ", "phong", Some("snv"), Some("tccb"))).await;
    assert_eq!(province.office("Sở Nội vụ", "snv").await, "sonoivu");
    assert_eq!(province.office("Phòng Tổ chức Cán bộ", "tccb").await, "tccb.sonoivu");
    province.check_people(&[("Nguyễn Thanh Bình", Some("snv"), "ntbinh")]).await;
    let rename = |name: &str| UnitAct::Rename { unit: "snv".into(), name: name.into() };
    let changed = province.act(rename("Sở Nội vụ và Lao động"), false).await;
    assert_eq!(Province::locals(&changed), [("sonoivu", "sonvld"), ("tccb.sonoivu", "tccb.sonvld")]);
    let office = world.engine.mailbox(&actor(), &address("sonoivu@an-giang.gov.vn")).await.unwrap().unwrap();
    assert_eq!((office.address.local(), office.display_name.as_str()), ("sonvld", "Sở Nội vụ và Lao động"));
    // Somebody else's by the same name meanwhile would have passed it over: it receives for the one who had it.
    let back = province.act(rename("Sở Nội vụ"), false).await;
    assert_eq!(Province::locals(&back), [("sonvld", "sonoivu"), ("tccb.sonvld", "tccb.sonoivu")]);
    assert_eq!(province.primary("sonvld").await, "sonoivu");
    assert_eq!(province.primary("ntbinh").await, "ntbinh", "this regulation's people do not bear their unit");
}
