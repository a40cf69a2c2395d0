//! The address book says of which unit a position is.

use super::organisation::{person, province};
use super::{World, actor};
use crate::{DirectoryUnit, NewAppointment};
use model::DomainName;

#[tokio::test]
async fn a_position_in_another_unit_is_that_units_and_a_unit_is_named_with_the_one_above_it() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let who = person(engine, "Lê Tú", "cds.sotttt", Some("Chuyên viên")).await;
    let new =
        NewAppointment { person: who, title: "Kế toán".into(), unit: Some("sokhcn".into()), on: None };
    engine.appoint(&actor(), &domain, &new).await.unwrap();
    person(engine, "Trần An", "ubnd", None).await;
    let found = engine.directory(&actor(), &domain, "", (None, 10)).await.unwrap();
    let unit = |code: &str, name: &str, parent: (&str, &str)| DirectoryUnit {
        code: code.to_owned(),
        name: name.to_owned(),
        parent: Some((parent.0.to_owned(), parent.1.to_owned())),
    };
    let room = unit("cds.sotttt", "Phòng Chuyển đổi số", ("sotttt", "Sở Thông tin và Truyền thông"));
    let other = unit("sokhcn", "Sở Khoa học và Công nghệ", ("ubnd", "Ủy ban nhân dân tỉnh"));
    let of = |local: &str| found.iter().find(|entry| entry.address.local() == local).unwrap();
    assert_eq!(of("ltu").unit, Some(room));
    assert_eq!(of("ltu").positions, ["Chuyên viên"]);
    assert_eq!(of("ltu").elsewhere, [("Kế toán".to_owned(), other)]);
    let top = of("tan");
    assert_eq!((top.unit.as_ref().unwrap().parent.as_ref(), top.elsewhere.len()), (None, 0));
    let words = engine.directory(&actor(), &domain, "ke toan", (None, 10)).await.unwrap();
    assert_eq!(words.len(), 1, "found by each position");
}
