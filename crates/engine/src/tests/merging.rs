//! What a merger leaves of people's positions (sáp nhập): ended with the unit, or held in the heir where that was asked for.

use super::organisation::{act, person, province};
use super::{World, actor};
use crate::{NewAppointment, UnitAct};
use model::DomainName;

fn domain() -> DomainName {
    DomainName::new("demo.gov.vn").unwrap()
}

/// Hundreds of clerks are not appointed one by one; who leads the heir is for somebody to decide.
#[tokio::test]
async fn positions_that_are_no_leaders_go_on_in_the_heir_where_that_is_asked_for() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let head = person(engine, "Trần An", "sotttt", Some("Giám đốc")).await;
    let clerk = person(engine, "Lê Tú", "sotttt", Some("Chuyên viên")).await;
    // Both: what he leads ends, the other goes on; of another unit, and the same there; what he is at home he remains.
    let both = person(engine, "Đỗ Bê", "sotttt", Some("Phó Giám đốc")).await;
    let guest = person(engine, "Vũ Hà", "sokhcn", Some("Kế toán")).await;
    for (person, title) in [(both, "Văn thư"), (guest, "Kế toán")] {
        let (title, unit) = (title.to_owned(), Some("sotttt".to_owned()));
        engine.appoint(&actor(), &domain(), &NewAppointment { person, title, unit, on: None }).await.unwrap();
    }
    let merge =
        || UnitAct::Merge { sources: vec!["sotttt".into()], into: "sokhcn".into(), keep_positions: true };
    for dry_run in [true, false] {
        let change = act(engine, merge(), dry_run).await.unwrap();
        let named = |posts: &[crate::Post]| -> Vec<_> {
            posts.iter().map(|post| (post.person, post.title.clone(), post.unit.clone())).collect()
        };
        let of = |who, title: &str, unit: &str| (who, title.to_owned(), unit.to_owned());
        let ended = [of(head, "Giám đốc", "sotttt"), of(both, "Phó Giám đốc", "sotttt")];
        assert_eq!(named(&change.positions), ended);
        let mut kept = named(&change.positions_kept);
        kept.sort();
        let mut expected = vec![
            of(clerk, "Chuyên viên", "sokhcn"),
            of(both, "Văn thư", "sokhcn"),
            of(guest, "Kế toán", "sokhcn"),
        ];
        expected.sort();
        assert_eq!(kept, expected);
        assert_eq!(change.classes.len(), 2, "both led");
    }
    let row = world.detail("unit.merge").await;
    assert_eq!(row["positions_kept"].as_array().unwrap().len(), 3);
    let people = engine.people(&actor(), &domain(), Some("sokhcn"), None, 10).await.unwrap();
    let there: std::collections::BTreeMap<_, _> =
        people.iter().map(|one| (one.person, one.positions.len())).collect();
    assert_eq!(there, [(head, 0), (clerk, 1), (both, 1), (guest, 1)].into());
}
