//! Handing a mailbox over: nothing goes while it runs, and nobody of before is left in it.

use super::delegation::{delegation, office, reach};
use super::{PASSWORD, World, actor, address, origin};
use crate::{CopyError, DeleteError, Error, FlagEdit, FlagMode, HandoverError, LoginError, NewHandover};
use model::{Flags, FolderName, Right, Rights, Uid};

fn handover(delegate: Option<&str>) -> NewHandover {
    NewHandover {
        mailbox: address("vanthu"),
        from: "Nguyễn Văn A, Chánh Văn phòng".into(),
        to: "Trần Thị B, Chánh Văn phòng".into(),
        delegate: delegate.map(address),
        rights: if delegate.is_some() { Rights::NONE.with(Right::Read) } else { Rights::NONE },
        document: "20/QĐ-UBND ngày 20/11/2026".into(),
    }
}

#[tokio::test]
async fn as_it_is_from_one_holder_to_the_next() {
    let world = World::new().await;
    let (an, binh, owner) =
        (world.user("an").await, world.user("binh").await, office(&world, "vanthu").await);
    let engine = &world.engine;
    let all = [Right::Read, Right::Write, Right::Manage];
    engine.grant_delegation(&actor(), &delegation("vanthu", "an", &all)).await.unwrap();
    for _ in 0..3 {
        world.deliver(&["vanthu"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let place = reach(&world, &an, "Other Users/vanthu@demo.gov.vn/INBOX").await.unwrap();
    let inbox = engine.folder(&owner, &FolderName::inbox()).await.unwrap().unwrap().id;
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::DELETED, keywords: Vec::new() };
    let started = engine.start_handover(&actor(), &handover(Some("binh"))).await.unwrap();
    assert_eq!(started.row.record["start"]["messages"], 3);
    let said = "Ủy quyền khi hoàn thành: binh@demo.gov.vn (Nguyễn Văn A): đọc\n";
    assert!(started.text().contains(said), "{}", started.text());
    let again = engine.start_handover(&actor(), &handover(None)).await;
    assert_eq!(again.unwrap_err(), HandoverError::Running(address("vanthu")));

    // Marked it can be; gone it is not, by whomever.
    engine.store_flags(&owner, inbox, &[Uid(1)], &edit).await.unwrap();
    assert_eq!(engine.expunge(&owner, inbox, None).await, Err(Error::Frozen));
    assert_eq!(engine.expunge(&place.who, inbox, Some(&[Uid(1)])).await, Err(Error::Frozen));
    let junk = FolderName::new("Junk").unwrap();
    assert_eq!(engine.delete_folder(&owner, &junk).await, Err(DeleteError::Engine(Error::Frozen)));
    let own = reach(&world, &an, "Archive").await.unwrap();
    let out = engine.move_to(&place.who, inbox, &[Uid(2)], &own).await;
    assert_eq!(out, Err(CopyError::Engine(Error::Frozen)));
    assert!(engine.copy_to(&place.who, inbox, &[Uid(2)], &own).await.is_ok());
    assert!(
        engine.move_messages(&owner, inbox, &[Uid(2)], &FolderName::new("Archive").unwrap()).await.is_ok()
    );
    world.deliver(&["vanthu"], b"Subject: x\r\n\r\ny\r\n").await;

    let done = engine.finish_handover(&actor(), &address("vanthu")).await.unwrap();
    let record = &done.handover.row.record;
    assert_eq!((&record["end"]["messages"], &record["revoked"][0]), (&4.into(), &"an@demo.gov.vn".into()));
    let text = done.handover.text();
    for said in [
        "Bên nhận: Trần Thị B, Chánh Văn phòng\n",
        "Bắt đầu: 22/11/2026 (test)\n",
        "Tình trạng: đã hoàn thành ngày 22/11/2026 (test)\n",
        "Ủy quyền mới: binh@demo.gov.vn (Nguyễn Văn A): đọc\n",
        "INBOX: 3 thư",
        "Thôi ủy quyền: an@demo.gov.vn\n",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(record["given"]["rights"][0], "read");
    // Whoever was in it is out, and the new holder is in.
    assert_eq!(engine.check_standing(&owner).await, Err(Error::Revoked));
    assert_eq!(engine.check_standing(&place.who).await, Err(Error::Revoked));
    let name = "Other Users/vanthu@demo.gov.vn/INBOX";
    assert!(reach(&world, &an, name).await.is_none());
    assert!(reach(&world, &binh, name).await.is_some());
    let old = engine.log_in("vanthu@demo.gov.vn", PASSWORD, &origin()).await.unwrap_err();
    assert_eq!(old, LoginError::Denied);
    let new = engine.log_in("vanthu@demo.gov.vn", &done.one_time_password, &origin()).await.unwrap_err();
    assert_eq!(new, LoginError::PasswordChangeRequired);
    assert_eq!(engine.handovers(&actor(), &address("vanthu"), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_cancelled_is_as_before() {
    let world = World::new().await;
    let owner = office(&world, "vanthu").await;
    world.user("an").await;
    let engine = &world.engine;
    let refused = engine.finish_handover(&actor(), &address("vanthu")).await.unwrap_err();
    assert_eq!(refused, HandoverError::NotRunning(address("vanthu")));
    let personal = NewHandover { mailbox: address("an"), ..handover(None) };
    let refused = engine.start_handover(&actor(), &personal).await.unwrap_err();
    assert_eq!(refused, HandoverError::Personal(address("an")));
    let nameless = NewHandover { to: " ".into(), ..handover(None) };
    assert_eq!(engine.start_handover(&actor(), &nameless).await.unwrap_err(), HandoverError::Names);
    world.deliver(&["vanthu"], b"Subject: x\r\n\r\ny\r\n").await;
    engine.start_handover(&actor(), &handover(None)).await.unwrap();
    engine.cancel_handover(&actor(), &address("vanthu")).await.unwrap();
    let inbox = engine.folder(&owner, &FolderName::inbox()).await.unwrap().unwrap().id;
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::DELETED, keywords: Vec::new() };
    engine.store_flags(&owner, inbox, &[Uid(1)], &edit).await.unwrap();
    assert_eq!(engine.expunge(&owner, inbox, None).await, Ok(vec![Uid(1)]));
    assert!(engine.start_handover(&actor(), &handover(None)).await.is_ok(), "another time");
}
