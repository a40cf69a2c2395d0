//! CONDSTORE and QRESYNC: what stands behind SELECT, FETCH and STORE (RFC 7162 7).

use super::cursor::Cursor;
use super::message::sequence_set;
use super::results::partial_range;
use super::{Fault, Result, mailbox};
use crate::imap::{Command, FetchModifiers, QResync, SelectParams, SeqMatch, SeqNumber, SequenceSet};

/// `select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]` (RFC 4466 6); EXAMINE likewise.
pub(super) fn select(c: &mut Cursor<'_>, read_only: bool) -> Result<Command> {
    let mailbox = mailbox::argument(c)?;
    let mut params = SelectParams::default();
    modifiers(c, |c, name| match name {
        // condstore-param = "CONDSTORE"
        "CONDSTORE" if !params.condstore => {
            params.condstore = true;
            Ok(())
        }
        "QRESYNC" if params.qresync.is_none() => {
            c.sp()?;
            params.qresync = Some(Box::new(qresync(c)?));
            Ok(())
        }
        _ => Err(Fault::bad("Unknown SELECT parameter")),
    })?;
    Ok(Command::Select { mailbox, read_only, params })
}

/// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`
/// `seq-match-data = "(" known-sequence-set SP known-uid-set ")"`
fn qresync(c: &mut Cursor<'_>) -> Result<QResync> {
    c.expect(b'(', "List expected")?;
    let uid_validity = c.nz_number()?.get();
    c.sp()?;
    let modseq = c.number64()?;
    let (mut known_uids, mut seq_match) = (None, None);
    let mut more = c.eat(b' ');
    if more && c.peek() != Some(b'(') {
        known_uids = Some(known_set(c)?);
        more = c.eat(b' ');
    }
    if more {
        c.expect(b'(', "List expected")?;
        let numbers = known_set(c)?;
        c.sp()?;
        seq_match = Some(SeqMatch { numbers, uids: known_set(c)? });
        c.expect(b')', "End of list expected")?;
    }
    c.expect(b')', "End of list expected")?;
    Ok(QResync { uid_validity, modseq, known_uids, seq_match })
}

/// `known-uids = sequence-set`, "*" is not allowed.
fn known_set(c: &mut Cursor<'_>) -> Result<SequenceSet> {
    let set = sequence_set(c)?;
    if set.is_saved() {
        return Err(Fault::bad("$ is not allowed here"));
    }
    if set.ranges().iter().any(|range| range.from == SeqNumber::Last || range.to == SeqNumber::Last) {
        return Err(Fault::bad("* is not allowed here"));
    }
    Ok(set)
}

/// `fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")"` (RFC 4466 6)
/// `fetch-modifier =/ chgsince-fetch-mod / rexpunges-fetch-mod / modifier-partial` (RFC 9394 4)
pub(super) fn fetch_modifiers(c: &mut Cursor<'_>, uid: bool) -> Result<FetchModifiers> {
    let mut read = FetchModifiers::NONE;
    modifiers(c, |c, name| match name {
        // chgsince-fetch-mod = "CHANGEDSINCE" SP mod-sequence-value
        "CHANGEDSINCE" if read.changed_since.is_none() => {
            c.sp()?;
            read.changed_since = Some(c.number64()?);
            Ok(())
        }
        // RFC 7162 3.2.6: not with FETCH by number.
        "VANISHED" if uid && !read.vanished => {
            read.vanished = true;
            Ok(())
        }
        // RFC 9394 3.3: of UID FETCH.
        "PARTIAL" if uid && read.partial.is_none() => {
            c.sp()?;
            read.partial = Some(partial_range(c)?);
            Ok(())
        }
        _ => Err(Fault::bad("Unknown FETCH modifier")),
    })?;
    if read.vanished && read.changed_since.is_none() {
        // RFC 7162 3.2.6
        return Err(Fault::bad("VANISHED needs CHANGEDSINCE"));
    }
    Ok(read)
}

/// `store-modifiers = "(" store-modifier *(SP store-modifier) ")"` (RFC 4466 6), and the space behind them
/// `store-modifier =/ "UNCHANGEDSINCE" SP mod-sequence-valzer`
pub(super) fn unchanged_since(c: &mut Cursor<'_>) -> Result<Option<u64>> {
    if c.peek() != Some(b'(') {
        return Ok(None);
    }
    c.expect(b'(', "List expected")?;
    if c.word()? != "UNCHANGEDSINCE" {
        return Err(Fault::bad("Unknown STORE modifier"));
    }
    c.sp()?;
    let modseq = c.number64()?;
    // Only a single one may be specified.
    c.expect(b')', "End of list expected")?;
    c.sp()?;
    Ok(Some(modseq))
}

/// `[SP "(" modifier *(SP modifier) ")"]` at the end of a command; `one` reads what follows the name.
fn modifiers(c: &mut Cursor<'_>, mut one: impl FnMut(&mut Cursor<'_>, &str) -> Result<()>) -> Result<()> {
    if !c.eat(b' ') {
        return Ok(());
    }
    // Each but once, and none is ever left out of this number.
    const MODIFIERS_MAX: usize = 8;
    c.list(MODIFIERS_MAX, false, |c| {
        let name = c.word()?;
        one(c, &name)
    })?;
    Ok(())
}
