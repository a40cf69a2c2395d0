//! The content: DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030), to the reply for the message.

use super::content::{ChunkWatch, DataDecoder, Decoded, Fault, too_large};
use super::exchange::{Answer, Closing, Manner, Request, Role, Step};
use super::reply::Reply;
use super::session::{Asked, Session, State};

/// Octets that still belong to a BDAT command.
pub(super) struct Chunk {
    left: u64,
    octets: u64,
    last: bool,
    /// The command was refused: its octets are read all the same, and this is answered behind them.
    skip: Option<Reply>,
}

pub(super) fn data(session: &mut Session, _args: &str) -> Result<(), Reply> {
    session.ask(Asked::OpenData, Request::Open);
    Ok(())
}

pub(super) fn data_opened(session: &mut Session, answer: Answer) {
    match answer {
        Answer::Accept | Answer::Delivered(_) => {
            session.reply(&Reply::plain(354, "Send the message, end it with a line that has only a dot"));
            session.state = State::Data(DataDecoder::new(session.settings.message_bytes_max));
        }
        Answer::Refuse(reply) => {
            session.reply(&reply);
            session.reset();
        }
    }
}

pub(super) fn data_step<'a>(session: &mut Session, input: &mut &'a [u8]) -> Option<Step<'a>> {
    let State::Data(decoder) = &mut session.state else { return None };
    match decoder.next(input) {
        Decoded::More => Some(Step::Read),
        Decoded::Bytes(bytes) => Some(Step::Content(bytes)),
        Decoded::End => {
            let (fault, contested) = (decoder.fault(), decoder.has_bare_line_end());
            complete(session, fault);
            if contested {
                // Its sender may see the end elsewhere: what follows must not be obeyed as commands.
                session.close();
            }
            None
        }
    }
}

/// `"BDAT" SP chunk-size [SP "LAST"]`
pub(super) fn bdat(session: &mut Session, args: &str) -> Result<(), Reply> {
    let Some((octets, last)) = chunk_size(args) else { return Err(bdat_syntax()) };
    let opened = session.transaction.as_ref().is_some_and(|transaction| transaction.chunks.is_some());
    if opened {
        session.state = State::Chunk(Chunk { left: octets, octets, last, skip: None });
    } else {
        session.ask(Asked::OpenChunk { octets, last }, Request::Open);
    }
    Ok(())
}

pub(super) fn chunk_opened(session: &mut Session, octets: u64, last: bool, answer: Answer) {
    match answer {
        Answer::Accept | Answer::Delivered(_) => {
            let bytes_max = session.settings.message_bytes_max;
            if let Some(transaction) = &mut session.transaction {
                transaction.chunks = Some(ChunkWatch::new(bytes_max));
            }
            session.state = State::Chunk(Chunk { left: octets, octets, last, skip: None });
        }
        Answer::Refuse(reply) => {
            session.reset();
            skip(session, octets, last, reply);
        }
    }
}

/// A refused BDAT: its octets must not be taken for commands. Where their number cannot be read, nobody knows where the
/// next command begins, and the connection ends.
pub(super) fn skip_octets(session: &mut Session, args: &str, reply: Reply) {
    match chunk_size(args) {
        Some((octets, last)) => skip(session, octets, last, reply),
        None => {
            session.reply(&bdat_syntax());
            session.close();
        }
    }
}

/// Reads a refused chunk's octets, to answer behind them. More than any message may have are not waited for: they would
/// hold the connection (and the line) for as long as the client likes.
fn skip(session: &mut Session, octets: u64, last: bool, reply: Reply) {
    if octets > session.settings.message_bytes_max {
        session.reply(&too_large());
        return session.close();
    }
    session.state = State::Chunk(Chunk { left: octets, octets, last, skip: Some(reply) });
}

pub(super) fn chunk_step<'a>(session: &mut Session, input: &mut &'a [u8]) -> Option<Step<'a>> {
    let draining = session.is_draining();
    let State::Chunk(chunk) = &mut session.state else { return None };
    if chunk.left > 0 {
        if input.is_empty() {
            // Nothing is lost with a chunk that is refused anyway.
            if draining && chunk.skip.is_some() {
                session.end(Closing::ShuttingDown);
                return None;
            }
            return Some(Step::Read);
        }
        let count = usize::try_from(chunk.left).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at_checked(count)?;
        *input = rest;
        chunk.left -= bytes.len() as u64;
        let watch = session.transaction.as_mut().and_then(|transaction| transaction.chunks.as_mut());
        let kept = chunk.skip.is_none() && watch.is_some_and(|watch| watch.pass(bytes));
        return kept.then_some(Step::Content(bytes));
    }
    if let State::Chunk(chunk) = std::mem::replace(&mut session.state, State::Command) {
        chunk_ended(session, chunk);
    }
    None
}

fn chunk_ended(session: &mut Session, chunk: Chunk) {
    if let Some(reply) = chunk.skip {
        return session.refuse(&reply);
    }
    let Some(watch) = session.transaction.as_mut().and_then(|transaction| transaction.chunks.as_mut()) else {
        return;
    };
    if chunk.last {
        watch.finish();
        let fault = watch.fault();
        return complete(session, fault);
    }
    match watch.fault() {
        // RFC 3030 2: the rest of the pipeline is read and refused, as there is no transaction any more.
        Some(fault) => {
            session.refuse(&fault.reply());
            session.reset();
        }
        None => session.reply(&Reply::new(250, (0, 0), format!("{} octets received", chunk.octets))),
    }
}

/// The message has ended.
fn complete(session: &mut Session, fault: Option<Fault>) {
    session.state = State::Command;
    match fault {
        Some(fault) => finish(session, &[fault.reply()]),
        None => {
            let manner = manner(session);
            session.ask(Asked::Deliver, Request::Deliver(manner));
        }
    }
}

pub(super) fn delivered(session: &mut Session, answer: Answer) {
    match answer {
        Answer::Delivered(replies) => finish(session, &replies),
        Answer::Refuse(reply) => finish(session, &[reply]),
        Answer::Accept => finish(session, &[Reply::new(250, (0, 0), "Message accepted")]),
    }
}

/// Writes the replies for a message: for LMTP one per accepted recipient (RFC 2033 4.2), a single one standing for all.
fn finish(session: &mut Session, replies: &[Reply]) {
    let unknown = Reply::new(451, (3, 0), "Try again later");
    let count = match (session.settings.role, &session.transaction) {
        (Role::Lmtp, Some(transaction)) => transaction.recipients as usize,
        _ => 1,
    };
    let mut accepted = false;
    for number in 0..count {
        let reply = match replies {
            [reply] => reply,
            replies => replies.get(number).unwrap_or(&unknown),
        };
        accepted |= !reply.is_refusal();
        if number + 1 == count && !accepted {
            session.refuse(reply);
        } else {
            session.reply(reply);
        }
    }
    if accepted {
        session.accepted_message();
    }
    session.reset();
}

fn chunk_size(args: &str) -> Option<(u64, bool)> {
    let mut words = args.split(' ').filter(|word| !word.is_empty());
    let size = words.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return None,
    };
    words.next().is_none().then_some((size.parse().ok()?, last))
}

fn bdat_syntax() -> Reply {
    Reply::new(501, (5, 4), "Syntax: BDAT octets [LAST]; closing")
}

/// RFC 3848, RFC 6531 4.3. HELO is plain SMTP whatever else is on.
fn manner(session: &Session) -> Manner {
    let utf8 = session.transaction.as_ref().is_some_and(|transaction| transaction.smtputf8);
    let (helo, extended) = match &session.hello {
        Some(hello) => (hello.name.clone(), hello.extended),
        None => (String::new(), false),
    };
    let lmtp = session.settings.role == Role::Lmtp;
    let with = match (lmtp, utf8, session.tls, session.logged_in) {
        (false, ..) if !extended => "SMTP",
        (false, false, false, false) => "ESMTP",
        (false, false, false, true) => "ESMTPA",
        (false, false, true, false) => "ESMTPS",
        (false, false, true, true) => "ESMTPSA",
        (false, true, false, false) => "UTF8SMTP",
        (false, true, false, true) => "UTF8SMTPA",
        (false, true, true, false) => "UTF8SMTPS",
        (false, true, true, true) => "UTF8SMTPSA",
        (true, false, false, false) => "LMTP",
        (true, false, false, true) => "LMTPA",
        (true, false, true, false) => "LMTPS",
        (true, false, true, true) => "LMTPSA",
        (true, true, false, false) => "UTF8LMTP",
        (true, true, false, true) => "UTF8LMTPA",
        (true, true, true, false) => "UTF8LMTPS",
        (true, true, true, true) => "UTF8LMTPSA",
    };
    Manner { with, helo }
}
