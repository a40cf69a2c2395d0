//! What a session knows in each of its states (RFC 3501 3).
//!
//! Invariants: a command gets the state it is legal in, so none can run without what that state has; sequence
//! numbers are the [`Tracker`]'s alone; the client is brought up to date only in [`Selected::sync`].

use super::attributes::{self, News};
use super::binary::Resume;
use super::enable::Enabled;
use super::mask::Mask;
use super::progress::Progress;
use super::reply::{FOLDER_GONE, Failure};
use super::tracker::{Delta, Expunges, Owed, Tracker};
use super::wire::Wire;
use super::{resync, select};
use crate::service::Opened;
use crate::socket::Ended;
use engine::{Engine, FolderView, Origin, Principal};
use model::{FolderId, Uid};
use proto::imap::{NoSuchMessage, SequenceSet};
use std::ops::Range;
use std::sync::Arc;

/// What every command has at hand: the connection and the system behind it.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) wire: Wire,
    pub(crate) engine: Engine,
    pub(crate) origin: Origin,
    pub(crate) encrypted: bool,
    pub(crate) enabled: Enabled,
    /// Set where STARTTLS is possible: the connection is plain and there is a certificate.
    pub(crate) starttls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) progress: Progress,
    pub(crate) mask: Mask,
    /// What the client called itself, before it logged in.
    pub(crate) client: Option<Box<str>>,
    /// Where the last partial fetch of a decoded part has ended.
    pub(crate) resume: Option<Box<Resume>>,
}

impl Door {
    /// Before anything was said.
    pub(crate) fn new(opened: Opened) -> Self {
        let Opened { socket, engine, origin, encrypted, starttls } = opened;
        Self {
            wire: Wire::new(socket),
            engine,
            origin,
            encrypted,
            enabled: Enabled::default(),
            starttls,
            progress: Progress::default(),
            mask: Mask::default(),
            client: None,
            resume: None,
        }
    }
}

/// RFC 3501 3: not authenticated, authenticated, selected. LOGOUT ends the connection at once.
#[derive(Debug)]
pub(crate) enum State {
    Fresh(Fresh),
    Known(Known),
    // Boxed: most of 5,000 idle connections are in it, and the others should not pay for its size.
    Selected(Box<Selected>),
}

/// Nobody yet.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    pub(crate) failed_logins: u32,
}

/// Somebody, without a mailbox.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) who: Principal,
}

/// Somebody in a mailbox.
#[derive(Debug)]
pub(crate) struct Selected {
    /// In whose mailbox the folder is, and as whom.
    pub(crate) who: Principal,
    pub(crate) folder: FolderId,
    /// What `$` means: ascending spans of uids, both ends included (RFC 5182 2.1).
    pub(crate) saved: Vec<(u32, u32)>,
    /// EXAMINE: nothing may change, not even \Recent (RFC 3501 6.3.2).
    pub(crate) read_only: bool,
    pub(crate) tracker: Tracker,
    /// How many keywords the last FLAGS response named; they only grow.
    pub(crate) keywords_told: usize,
    /// What the command under way must tell, changed or not.
    pub(crate) owed: Owed,
    /// Expunges were told, and not yet that everything up to them has been.
    pub(crate) owes_highest: bool,
}

impl State {
    /// Whoever is logged in, as himself.
    pub(crate) fn who(&self) -> Option<&Principal> {
        match self {
            Self::Fresh(_) => None,
            Self::Known(known) => Some(&known.who),
            Self::Selected(selected) => Some(selected.who.own()),
        }
    }

    /// The open mailbox.
    pub(crate) fn selected(&self) -> Option<&Selected> {
        match self {
            Self::Selected(selected) => Some(selected),
            Self::Fresh(_) | Self::Known(_) => None,
        }
    }
}

impl Selected {
    /// Tells the client what has changed in the folder since it was last told.
    pub(crate) async fn sync(&mut self, door: &mut Door, expunges: Expunges) -> Result<(), Failure> {
        let view = match door.engine.view(&self.who, self.folder).await {
            Ok(view) => view,
            Err(engine::Error::NotFound) => return Err(FOLDER_GONE.into()),
            Err(error) => return Err(error.into()),
        };
        if self.tracker.grows_with(&view) {
            self.claim_recent(door, &view).await?;
        }
        let owed = std::mem::take(&mut self.owed);
        let Ok(delta) = self.tracker.advance(&view, expunges, &owed) else {
            tracing::error!(folder = %self.folder, "uids of a folder did not only grow");
            return Err(Ended::Bye("The mailbox was renumbered, select it again").into());
        };
        self.tell(door, &delta).await
    }

    /// New messages are \Recent for the session that hears of them first (RFC 3501 2.3.2).
    async fn claim_recent(&mut self, door: &Door, view: &Arc<FolderView>) -> Result<(), Failure> {
        let from = if self.read_only {
            // RFC 3501 2.3.2: where it cannot be known who was first, the message is recent.
            self.tracker.last_uid().map_or(Uid(1), |last| Uid(last.0.saturating_add(1)))
        } else {
            door.engine.claim_recent(&self.who, self.folder).await?
        };
        self.tracker.claim(from, view);
        Ok(())
    }

    async fn tell(&mut self, door: &mut Door, delta: &Delta) -> Result<(), Failure> {
        self.owes_highest |= !delta.expunged.is_empty();
        if door.enabled.qresync {
            // RFC 7162 3.2.10
            resync::tell(door, false, &resync::runs(delta.vanished.iter().copied())).await?;
        } else {
            for number in &delta.expunged {
                // RFC 3501 7.4.1
                door.wire.out.expunge(*number);
                door.wire.relieve().await?;
            }
        }
        if let Some(count) = delta.exists {
            // RFC 3501 7.3.1
            door.wire.out.exists(count);
        }
        if let Some(count) = delta.recent {
            // RFC 3501 7.3.2
            door.wire.out.recent(count);
        }
        if self.tracker.view().all_keywords().count() != self.keywords_told {
            select::tell_flags(door, self);
        }
        for position in &delta.changed {
            attributes::tell(door, self, *position, News::Flags);
            door.wire.relieve().await?;
        }
        if door.enabled.condstore {
            for position in &delta.touched {
                attributes::tell(door, self, *position, News::ModSeq);
                door.wire.relieve().await?;
            }
        }
        Ok(())
    }

    /// What a client that keeps modification sequences must take for the highest it has, where it could be mistaken:
    /// while an expunge is held back, and once expunges were told (RFC 7162 3.2, 3.2.7).
    pub(crate) fn highest_due(&mut self) -> Option<u64> {
        let told = std::mem::take(&mut self.owes_highest);
        (told || self.tracker.is_haunted()).then(|| self.tracker.told_modseq().0)
    }

    /// Positions that a set names, ascending spans (RFC 3501 9: `*` is the largest number in use).
    pub(crate) fn resolve(&self, set: &SequenceSet, uid: bool) -> Result<Vec<Range<usize>>, NoSuchMessage> {
        let count = self.tracker.exists();
        if set.is_saved() {
            // RFC 5182 2.1: valid also when it is empty; what was expunged is not in it.
            let spans = self.saved.iter().map(|(low, high)| self.tracker.span_of_uids(*low, *high));
            return Ok(spans.collect());
        }
        if uid {
            let last = self.tracker.last_uid().map_or(0, |uid| uid.0);
            let spans = set.spans(last).into_iter();
            // RFC 3501 6.4.8: a uid that is not there is ignored.
            return Ok(spans.map(|(low, high)| self.tracker.span_of_uids(low, high)).collect());
        }
        let spans = set.spans(count);
        if count == 0 || spans.last().is_some_and(|(_, high)| *high > count) {
            return Err(NoSuchMessage);
        }
        Ok(spans.into_iter().map(|(low, high)| self.tracker.span_of_numbers(low, high)).collect())
    }

    /// The uids at `spans`, and whether some of them are gone (they are left out).
    pub(crate) fn living(&self, spans: &[Range<usize>]) -> (Vec<Uid>, bool) {
        let mut some_gone = false;
        let mut uids = Vec::with_capacity(spans.iter().map(ExactSizeIterator::len).sum());
        for listed in spans.iter().cloned().flatten().filter_map(|position| self.tracker.at(position)) {
            if listed.gone {
                some_gone = true;
            } else {
                uids.push(listed.entry.uid);
            }
        }
        (uids, some_gone)
    }
}
