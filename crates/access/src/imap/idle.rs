//! IDLE (RFC 2177): news as they come, until DONE.

use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, Selected, State};
use super::tracker::Expunges;
use crate::figures::Idle;
use crate::limits::PATIENCE;
use crate::socket::{Ended, REVOKED, SHUTTING_DOWN, SILENT};
use engine::{Principal, Watch};
use model::FolderName;
use proto::imap::{Event, is_done};
use tokio::time::{Instant, sleep_until};

/// What woke an idle session.
enum Woken {
    Input,
    News,
}

pub(crate) async fn idle(door: &mut Door, state: &mut State) -> Outcome {
    let who = match state {
        State::Selected(selected) => Some(selected.who.clone()),
        State::Fresh(_) | State::Known(_) => state.who().cloned(),
    };
    let Some(who) = who else { return Err(Reply::bad("Log in first").into()) };
    // Futures that ask the engine are boxed: between two news, thousands of idle sessions do without their size.
    // The watch begins before the first look, so that nothing falls between the two.
    let mut watch = door.engine.watch(&who);
    door.wire.out.continuation("Idling");
    door.wire.decoder().expect_line();
    let mut selected = match state {
        State::Selected(selected) => Some(selected),
        State::Fresh(_) | State::Known(_) => None,
    };
    let _idle = Idle::new();
    let deadline = Instant::now() + PATIENCE;
    if let Some(selected) = &mut selected {
        Box::pin(news(door, selected)).await?;
    }
    loop {
        if let Some(reply) = done(door)? {
            return Ok(reply);
        }
        door.wire.flush().await?;
        match wait(door, &mut watch, deadline).await? {
            Woken::Input => {}
            Woken::News => match &mut selected {
                Some(selected) => Box::pin(news(door, selected)).await?,
                None => Box::pin(still_welcome(door, &who)).await?,
            },
        }
    }
}

async fn wait(door: &mut Door, watch: &mut Watch, deadline: Instant) -> Result<Woken, Ended> {
    let (shutdown, revoked) = (door.wire.shutdown(), door.wire.revoked());
    tokio::select! {
        biased;
        () = revoked => Err(REVOKED),
        read = door.wire.read() => read.map(|()| Woken::Input),
        () = shutdown.cancelled() => Err(SHUTTING_DOWN),
        () = watch.changed() => Ok(Woken::News),
        // RFC 2177 3: the autologout timer runs on; clients come back every 29 minutes.
        () = sleep_until(deadline) => Err(SILENT),
    }
}

/// The end of the command, if the client has ended it.
fn done(door: &mut Door) -> Result<Option<Reply>, Failure> {
    match door.wire.event_now() {
        None => Ok(None),
        Some(Event::Line(line)) if is_done(&line) => Ok(Some(Reply::ok("IDLE completed"))),
        Some(Event::Fatal(text)) => Err(Ended::Bye(text).into()),
        Some(_) => Err(Reply::bad("DONE was expected").into()),
    }
}

/// Without a mailbox the only news is that one's rights have ended.
async fn still_welcome(door: &Door, who: &Principal) -> Result<(), Failure> {
    match door.engine.folder(who, &FolderName::inbox()).await {
        Err(engine::Error::Revoked) => Err(engine::Error::Revoked.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A database that does not answer is no news: the next change, or the slow resync, wakes us again.
async fn news(door: &mut Door, selected: &mut Selected) -> Result<(), Failure> {
    match selected.sync(door, Expunges::Tell).await {
        Err(Failure::Reply(reply)) => {
            tracing::debug!(text = %reply.text, "idle without news");
            Ok(())
        }
        other => other,
    }
}
