//! Who belonged to which unit when, and who held which position (chức vụ): people, units and positions apart.
//!
//! Invariants: a person belongs to at most one unit on any day; periods of one person do not overlap; from is inclusive,
//! until exclusive; a period that has ended is never changed.

use crate::{MailboxClass, UnitId};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A person, whatever mailboxes and positions he has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersonId(pub i64);

/// A position in the domain's list of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PositionId(pub i64);

/// Chức vụ: Giám đốc, Trưởng phòng, Chuyên viên…
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub id: PositionId,
    /// Vietnamese.
    pub title: String,
    /// Cán bộ lãnh đạo: the leader class of mailbox (AG Đ9.3b), leaders first among the requests of a day (ST Đ3.4b).
    pub leader: bool,
    /// 1 is the highest.
    pub rank: u16,
}

/// Positions that a new domain begins with: title, leader, rank. The texts name no list: cán bộ lãnh đạo are whoever heads an
/// organisation and his deputies (AG Đ9.3b); rooms inside one have heads who are no leaders in that sense.
pub const STANDARD_POSITIONS: &[(&str, bool, u16)] = &[
    ("Bí thư", true, 1),
    ("Chủ tịch", true, 2),
    ("Phó Bí thư", true, 3),
    ("Phó Chủ tịch", true, 4),
    ("Giám đốc", true, 5),
    ("Trưởng ban", true, 5),
    ("Chánh Văn phòng", true, 5),
    ("Chánh Thanh tra", true, 5),
    ("Phó Giám đốc", true, 6),
    ("Phó Trưởng ban", true, 6),
    ("Phó Chánh Văn phòng", true, 6),
    ("Phó Chánh Thanh tra", true, 6),
    ("Chi cục trưởng", true, 7),
    ("Phó Chi cục trưởng", true, 8),
    ("Trưởng phòng", false, 9),
    ("Phó Trưởng phòng", false, 10),
    ("Chuyên viên chính", false, 11),
    ("Chuyên viên", false, 12),
    ("Cán sự", false, 13),
    ("Kế toán", false, 13),
    ("Văn thư", false, 13),
    ("Nhân viên", false, 14),
];

/// A person in a unit for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub person: PersonId,
    pub unit: UnitId,
    pub from: Date,
    /// Exclusive; `None`: still there.
    pub until: Option<Date>,
}

/// A person in a position of a unit for a time; the unit need not be the person's own (kiêm nhiệm).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    pub person: PersonId,
    pub unit: UnitId,
    pub position: PositionId,
    pub from: Date,
    /// Exclusive; `None`: still held.
    pub until: Option<Date>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeopleError {
    #[error("the person belongs to a unit already")]
    AlreadyMember,
    #[error("the person belongs to no unit")]
    NotMember,
    #[error("the person is in that unit already")]
    SameUnit,
    #[error("the list of positions has none of this number")]
    NoPosition,
    #[error("the person holds this position in this unit already")]
    AlreadyAppointed,
    #[error("the person does not hold this position in this unit")]
    NotAppointed,
    #[error("the day lies before what is recorded already")]
    BeforeRecorded,
}

/// Memberships and appointments of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    positions: Vec<Position>,
    memberships: Vec<Membership>,
    appointments: Vec<Appointment>,
}

impl Register {
    #[must_use]
    pub fn new(positions: Vec<Position>) -> Self {
        Self { positions, ..Self::default() }
    }

    /// The register, or the part of it that an act needs, as it was kept.
    #[must_use]
    pub fn restore(
        positions: Vec<Position>,
        memberships: Vec<Membership>,
        appointments: Vec<Appointment>,
    ) -> Self {
        Self { positions, memberships, appointments }
    }

    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    #[must_use]
    pub fn memberships(&self) -> &[Membership] {
        &self.memberships
    }

    #[must_use]
    pub fn appointments(&self) -> &[Appointment] {
        &self.appointments
    }

    /// Who is new in the system, or comes back after having left (cấp mới).
    ///
    /// # Errors
    /// When the person belongs to a unit, or left later than `on`.
    pub fn join(&mut self, person: PersonId, unit: UnitId, on: Date) -> Result<(), PeopleError> {
        if self.open_membership(person).is_some() {
            return Err(PeopleError::AlreadyMember);
        }
        if self.memberships.iter().any(|m| m.person == person && m.until.is_some_and(|until| until > on)) {
            return Err(PeopleError::BeforeRecorded);
        }
        self.memberships.push(Membership { person, unit, from: on, until: None });
        Ok(())
    }

    /// Chuyển công tác (AG Đ7.3b; LC Đ6.2a; TN Đ8.2a): positions of the old unit end with the day, those elsewhere stay.
    ///
    /// # Errors
    /// When the person belongs to no unit, to that one already, or came later than `on`.
    pub fn transfer(&mut self, person: PersonId, to: UnitId, on: Date) -> Result<(), PeopleError> {
        let left = self.open_membership(person).ok_or(PeopleError::NotMember)?;
        if left.unit == to {
            return Err(PeopleError::SameUnit);
        }
        self.end(person, left, Some(left.unit), on)?;
        self.memberships.push(Membership { person, unit: to, from: on, until: None });
        Ok(())
    }

    /// Nghỉ hưu, nghỉ việc, chuyển ra khỏi tỉnh (AG Đ7.3c): everything ends.
    ///
    /// # Errors
    /// When the person belongs to no unit, or came later than `on`.
    pub fn leave(&mut self, person: PersonId, on: Date) -> Result<(), PeopleError> {
        let left = self.open_membership(person).ok_or(PeopleError::NotMember)?;
        self.end(person, left, None, on)
    }

    /// Everybody of a unit goes to another, as after a merger; positions end, as the unit does. The people who moved.
    ///
    /// # Errors
    /// When somebody came later than `on`; nobody has moved then.
    pub fn transfer_all(&mut self, from: UnitId, to: UnitId, on: Date) -> Result<Vec<PersonId>, PeopleError> {
        let people: Vec<PersonId> = self.members_at_end(from).collect();
        let mut changed = self.clone();
        for person in &people {
            changed.transfer(*person, to, on)?;
        }
        *self = changed;
        Ok(people)
    }

    /// Bổ nhiệm.
    ///
    /// # Errors
    /// When there is no such position, the person holds it there already, or belongs to no unit on that day.
    pub fn appoint(
        &mut self,
        person: PersonId,
        unit: UnitId,
        position: PositionId,
        on: Date,
    ) -> Result<(), PeopleError> {
        if !self.positions.iter().any(|known| known.id == position) {
            return Err(PeopleError::NoPosition);
        }
        let open = self.open_membership(person).ok_or(PeopleError::NotMember)?;
        if on < open.from {
            return Err(PeopleError::BeforeRecorded);
        }
        let same = |a: &&Appointment| a.person == person && a.unit == unit && a.position == position;
        for held in self.appointments.iter().filter(same) {
            match held.until {
                None => return Err(PeopleError::AlreadyAppointed),
                Some(until) if until > on => return Err(PeopleError::BeforeRecorded),
                Some(_) => {}
            }
        }
        self.appointments.push(Appointment { person, unit, position, from: on, until: None });
        Ok(())
    }

    /// Thôi giữ chức vụ.
    ///
    /// # Errors
    /// When the person does not hold it, or came to it later than `on`.
    pub fn relieve(
        &mut self,
        person: PersonId,
        unit: UnitId,
        position: PositionId,
        on: Date,
    ) -> Result<(), PeopleError> {
        let held = self
            .appointments
            .iter_mut()
            .find(|a| a.person == person && a.unit == unit && a.position == position && a.until.is_none());
        let held = held.ok_or(PeopleError::NotAppointed)?;
        if on < held.from {
            return Err(PeopleError::BeforeRecorded);
        }
        held.until = Some(on);
        Ok(())
    }

    /// Where was somebody on a day?
    #[must_use]
    pub fn unit_at(&self, person: PersonId, day: Date) -> Option<UnitId> {
        let there = |m: &&Membership| m.person == person && holds(m.from, m.until, day);
        self.memberships.iter().find(there).map(|m| m.unit)
    }

    /// Who was in a unit on a day?
    pub fn members_at(&self, unit: UnitId, day: Date) -> impl Iterator<Item = PersonId> {
        self.memberships
            .iter()
            .filter(move |m| m.unit == unit && holds(m.from, m.until, day))
            .map(|m| m.person)
    }

    /// Positions on a day with their unit, highest first.
    #[must_use]
    pub fn positions_at(&self, person: PersonId, day: Date) -> Vec<(UnitId, &Position)> {
        let held = self.appointments.iter().filter(|a| a.person == person && holds(a.from, a.until, day));
        let mut found: Vec<_> = held
            .filter_map(|a| Some((a.unit, self.positions.iter().find(|known| known.id == a.position)?)))
            .collect();
        found.sort_by_key(|(_, position)| position.rank);
        found
    }

    /// The class of the personal mailbox on a day: a leader's while any of the positions is one (AG Đ9.3b).
    #[must_use]
    pub fn class_at(&self, person: PersonId, day: Date) -> MailboxClass {
        let leads = self.positions_at(person, day).iter().any(|(_, position)| position.leader);
        if leads { MailboxClass::Leader } else { MailboxClass::Person }
    }

    /// The rank that decides among requests of one day (ST Đ3.4b): that of the highest leading position; `None`: no leader.
    #[must_use]
    pub fn leader_rank_at(&self, person: PersonId, day: Date) -> Option<u16> {
        let positions = self.positions_at(person, day);
        positions.iter().find(|(_, position)| position.leader).map(|(_, position)| position.rank)
    }

    fn open_membership(&self, person: PersonId) -> Option<Membership> {
        self.memberships.iter().find(|m| m.person == person && m.until.is_none()).copied()
    }

    fn members_at_end(&self, unit: UnitId) -> impl Iterator<Item = PersonId> {
        self.memberships.iter().filter(move |m| m.unit == unit && m.until.is_none()).map(|m| m.person)
    }

    /// Ends a membership, and the appointments in that unit, or everywhere.
    fn end(
        &mut self,
        person: PersonId,
        left: Membership,
        only: Option<UnitId>,
        on: Date,
    ) -> Result<(), PeopleError> {
        let ends = |a: &Appointment| {
            a.person == person && a.until.is_none() && only.is_none_or(|unit| a.unit == unit)
        };
        if on < left.from || self.appointments.iter().any(|a| ends(a) && on < a.from) {
            return Err(PeopleError::BeforeRecorded);
        }
        for appointment in self.appointments.iter_mut().filter(|a| ends(a)) {
            appointment.until = Some(on);
        }
        for membership in self.memberships.iter_mut().filter(|m| **m == left) {
            membership.until = Some(on);
        }
        Ok(())
    }
}

fn holds(from: Date, until: Option<Date>, day: Date) -> bool {
    from <= day && until.is_none_or(|until| day < until)
}
