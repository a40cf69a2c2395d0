//! INPROGRESS (RFC 9585): signs of life from a command that takes long, so that its client does not give it up.
//!
//! Invariants: nothing is said about a command that is done within seconds; a line goes out only between responses, never
//! inside one, which the callers see to; work that was begun is not given up because its client has gone.

use super::session::Door;
use super::wire::Wire;
use crate::socket::Ended;
use proto::imap::{Code, StatusLine, Tag};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Between two signs, and before the first: RFC 9585 4 recommends 10 to 15 seconds.
const EVERY: Duration = Duration::from_secs(10);

/// The command under way, as far as a client is told of it. Empty between commands.
#[derive(Debug, Default)]
pub(crate) struct Progress(Option<Begun>);

#[derive(Debug)]
struct Begun {
    tag: Tag,
    next: Instant,
}

impl Progress {
    pub(crate) fn begin(&mut self, tag: &Tag) {
        self.0 = Some(Begun { tag: tag.clone(), next: Instant::now() + EVERY });
    }

    /// The tag of the command under way.
    pub(crate) fn tag(&self) -> Option<&Tag> {
        self.0.as_ref().map(|begun| &begun.tag)
    }

    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// Puts the line behind what is waiting, when it is time for one.
    fn tell(&mut self, wire: &mut Wire, done: Option<u64>, goal: Option<u64>) -> bool {
        let Some(begun) = &mut self.0 else { return false };
        let now = Instant::now();
        if now < begun.next {
            return false;
        }
        begun.next = now + EVERY;
        let code = Code::InProgress { tag: begun.tag.as_str().to_owned(), done, goal };
        wire.out.untagged(&StatusLine::ok("Still at work").with(code));
        true
    }

    async fn at_work<T>(&mut self, wire: &mut Wire, work: impl Future<Output = T>) -> Result<T, Ended> {
        let mut work = pin!(work);
        let mut gone = None;
        loop {
            let next = self.0.as_ref().filter(|_| gone.is_none()).map(|begun| begun.next);
            tokio::select! {
                biased;
                done = &mut work => return gone.map_or(Ok(done), Err),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            self.tell(wire, None, None);
            // A write must not be broken off, and the work goes on beside it.
            let mut done = None;
            let mut flush = pin!(wire.flush());
            let flushed = poll_fn(|context| {
                if done.is_none()
                    && let Poll::Ready(result) = work.as_mut().poll(context)
                {
                    done = Some(result);
                }
                flush.as_mut().poll(context)
            })
            .await;
            match (flushed, done) {
                (Ok(()), Some(done)) => return Ok(done),
                (Err(ended), Some(_)) => return Err(ended),
                (Err(ended), None) => gone = Some(ended),
                (Ok(()), None) => {}
            }
        }
    }
}

impl Door {
    /// To be called between the steps of a long command, never inside a response: `done` of `goal` steps. The client is
    /// told every few seconds; the rest of the calls cost a look at the clock.
    pub(crate) async fn progress(&mut self, done: u64, goal: Option<u64>) -> Result<(), Ended> {
        if self.progress.tell(&mut self.wire, Some(done), goal) {
            self.wire.flush().await?;
        }
        Ok(())
    }

    /// Does `work` whose progress cannot be seen, and lets the client know that it is still being done. `work` is
    /// always done to its end.
    pub(crate) async fn at_work<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ended> {
        self.progress.at_work(&mut self.wire, work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Socket;
    use proto::imap::{Decoder, Event, Limits, Request};
    use tokio::io::{AsyncReadExt as _, DuplexStream};
    use tokio::time::sleep;
    use tokio_util::sync::CancellationToken;

    fn begun() -> (DuplexStream, Wire, Progress) {
        let mut decoder = Decoder::new(Limits::BEFORE_LOGIN);
        decoder.feed(b"A001 NOOP\r\n");
        let Event::Command(Request { tag, .. }) = decoder.next() else { unreachable!() };
        let (client, served) = tokio::io::duplex(1 << 10);
        let mut progress = Progress::default();
        progress.begin(&tag);
        (client, Wire::new(Socket::new(Box::new(served), CancellationToken::new())), progress)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_hears_now_and_then_of_long_work() {
        let (mut client, mut wire, mut progress) = begun();
        assert_eq!(progress.at_work(&mut wire, async { 1 }).await.unwrap(), 1);
        let quick = progress.at_work(&mut wire, sleep(EVERY / 4)).await;
        quick.unwrap();
        let long = progress.at_work(&mut wire, sleep(EVERY * 5 / 2)).await;
        long.unwrap();
        drop(wire);
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "* OK [INPROGRESS (\"A001\" NIL NIL)] Still at work\r\n".repeat(2));
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_done_to_its_end_though_the_client_has_gone() {
        let (client, mut wire, mut progress) = begun();
        drop(client);
        let mut done = false;
        let work = async {
            sleep(EVERY * 3).await;
            done = true;
        };
        assert!(progress.at_work(&mut wire, work).await.is_err());
        assert!(done);
    }

    #[tokio::test(start_paused = true)]
    async fn steps_are_told_when_it_is_time() {
        let (_client, mut wire, mut progress) = begun();
        assert!(!progress.tell(&mut wire, Some(1), Some(1_000)));
        sleep(EVERY).await;
        // RFC 9585 4.1, the example's numbers.
        assert!(progress.tell(&mut wire, Some(454), Some(1_000)));
        assert!(!progress.tell(&mut wire, Some(455), Some(1_000)));
        assert_eq!(wire.out.take(), b"* OK [INPROGRESS (\"A001\" 454 1000)] Still at work\r\n");
        progress.end();
        sleep(EVERY).await;
        assert!(!progress.tell(&mut wire, Some(1_000), Some(1_000)));
    }
}
