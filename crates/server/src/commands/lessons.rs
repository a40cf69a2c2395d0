//! `congthu trace lessons`: what users said of mail, which the filter for spam learns.

use super::Session;
use crate::cli::TraceLessons;
use anyhow::Result;
use engine::{LessonQuery, SaidRow};
use model::calendar::local_text;
use serde_json::{Value, json};

/// Lessons that are shown.
const SHOWN_MAX: u32 = 10_000;

pub(super) async fn run(session: &Session, options: &TraceLessons) -> Result<()> {
    let TraceLessons { address, since, until } = options;
    let query = LessonQuery { by: address.as_ref(), since: *since, until: *until, limit: SHOWN_MAX };
    let report = session.node.engine.lessons(&session.actor, &query).await?;
    if let Some(last) = report.lessons.last().filter(|_| report.is_cut) {
        eprintln!("only the newest {SHOWN_MAX} are shown; of older ones: --until {}", last.at);
    }
    let text: String = report.lessons.iter().map(|said| line(said) + "\n").collect();
    session.answer(&report.lessons.iter().map(as_json).collect(), &text)
}

fn line(said: &SaidRow) -> String {
    let word = |word: &Option<String>| word.as_deref().unwrap_or("-").to_owned();
    let (by, mailbox, lesson) = (word(&said.by), word(&said.mailbox), said.lesson.as_str());
    let how = if said.is_reported { "reported" } else { "moved" };
    let waits = if said.waits { ", waits" } else { "" };
    let id = said.message_id.as_ref().map_or_else(|| "-".to_owned(), |id| format!("<{id}>"));
    format!("{}\t{by}\t{mailbox}\t{lesson}\t{how}\t{}{waits}\t{id}", local_text(said.at), word(&said.result))
}

fn as_json(said: &SaidRow) -> Value {
    json!({
        "at": said.at, "by": said.by, "mailbox": said.mailbox, "lesson": said.lesson.as_str(),
        "reported": said.is_reported, "waits": said.waits, "result": said.result, "message_id": said.message_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use model::Lesson;

    #[test]
    fn a_line_says_who_said_what_where_and_what_came_of_it() {
        let said = SaidRow {
            at: Timestamp::UNIX_EPOCH,
            by: Some("an@x.vn".to_owned()),
            mailbox: Some("vp@x.vn".to_owned()),
            lesson: Lesson::Ham,
            is_reported: false,
            waits: true,
            result: Some("away".to_owned()),
            message_id: Some("1@x".to_owned()),
        };
        let text = line(&said);
        assert!(text.ends_with("\tan@x.vn\tvp@x.vn\tham\tmoved\taway, waits\t<1@x>"), "{text}");
        let text = line(&SaidRow {
            by: None,
            result: None,
            waits: false,
            message_id: None,
            is_reported: true,
            ..said
        });
        assert!(text.ends_with("\t-\tvp@x.vn\tham\treported\t-\t-"), "{text}");
    }
}
