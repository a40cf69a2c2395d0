//! Scripts that follow each other over one message: the domain's, those of units, the user's own. Each may take the message away
//! from the next; none undoes what an earlier one wanted, and none loses the message.

use super::super::compile::Script;
use super::super::meter::Meter;
use super::super::setting::{Action, Ended, Failure, Known, Mail, Outcome, Reason, Recipients, Setting};
use super::header::Mark;
use super::{Halt, Run, Scope};

/// Follows scripts over `mail`, one behind the other.
///
/// The next one follows where a keep, said or implicit, is among what one wants: that keep is taken away and the next decides.
/// Its flags are those with which the next begins (RFC 5232 2), and changes of the header go on. `stop` ends one script, not the
/// chain. Variables, included scripts, and what a run may cost are each script's own; the most actions and redirects are of all
/// together, and of all answers only the first counts. A script that fails does nothing but keep, and is in [`Outcome::failures`].
/// Without any script the message is kept.
pub fn run(chain: &[&Script], mail: Mail<'_>, setting: &Setting, known: &Known) -> Ended {
    let mut run = Run::new(mail, setting, known);
    for (place, script) in chain.iter().enumerate() {
        if place > 0 && !run.goes_on() {
            break;
        }
        let begun = run.begin(place);
        let ended = run.steps(&script.steps).and_then(|_| run.header.has_room());
        run.cost += run.meter.cost();
        match ended {
            Ok(()) => {}
            Err(Halt::Failed(reason)) => run.fail(begun, reason),
            Err(Halt::Asks(questions)) => return Ended::Asks(questions, run.cost),
            Err(Halt::Wants(wanted)) => return Ended::Wants(wanted, run.cost),
        }
    }
    Ended::Done(run.outcome())
}

/// How things stood before a script.
struct Begun<'a> {
    flags: Vec<String>,
    sightings: usize,
    header: Mark<'a>,
}

impl<'a> Run<'a> {
    fn begin(&mut self, place: usize) -> Begun<'a> {
        self.place = place;
        self.meter = Meter::new();
        self.scope = Scope::default();
        self.globals.clear();
        (self.implicit_keep, self.has_answered) = (true, false);
        self.including.clear();
        self.included.clear();
        self.asked.clear();
        (self.part, self.line) = (None, 0);
        Begun { flags: self.flags.clone(), sightings: self.sightings.len(), header: self.header.mark() }
    }

    /// RFC 5228 2.10.6: the message stays, as this script found it; nothing that it wanted is done.
    fn fail(&mut self, begun: Begun<'a>, reason: Reason) {
        self.actions.clear();
        self.implicit_keep = true;
        self.flags = begun.flags;
        self.sightings.truncate(begun.sightings);
        self.header.back_to(begun.header);
        let included = self.including.last().cloned();
        self.failures.push(Failure { script: self.place, included, line: self.line, reason });
    }

    /// Was the message kept? Then what else was wanted is settled, and the next script decides.
    fn goes_on(&mut self) -> bool {
        let kept = self.actions.iter().position(|action| matches!(action, Action::Keep { .. }));
        if let Some(Action::Keep { flags, .. }) = kept.map(|kept| self.actions.remove(kept)) {
            self.flags = flags;
        } else if !self.implicit_keep {
            return false;
        }
        self.settle();
        true
    }

    /// What the script wanted comes behind what earlier ones did, and takes the place of the same.
    fn settle(&mut self) {
        for mut action in std::mem::take(&mut self.actions) {
            let is_answered = self.settled.iter().any(|(_, known)| matches!(known, Action::Vacation(_)));
            if is_answered && matches!(action, Action::Vacation(_))
                || self.settled.iter().any(|(_, known)| *known == action)
            {
                continue;
            }
            if let Action::FileInto(filing) = &action {
                self.settled.retain(|(_, known)| !known.is_into(filing));
            }
            if let Action::Reject { in_dialogue, .. } = &mut action {
                // RFC 5230 4.7: who is told that it is rejected is not told that it will be read. What was passed on or filed
                // by an earlier script cannot be refused any more.
                self.settled.retain(|(_, known)| !matches!(known, Action::Vacation(_)));
                *in_dialogue &= self.settled.iter().all(|(_, known)| matches!(known, Action::Notify(_)));
            }
            self.settled.push((self.place, action));
        }
    }

    fn outcome(mut self) -> Outcome {
        if self.implicit_keep {
            // Whether there is room for it was looked at behind each script.
            let header = self.header.edition().unwrap_or_default();
            self.actions.push(Action::Keep { flags: std::mem::take(&mut self.flags), header });
        }
        self.settle();
        let (wanted_by, actions) = self.settled.into_iter().unzip();
        Outcome {
            actions,
            wanted_by,
            headers: self.header.editions(),
            sightings: self.sightings,
            failures: self.failures,
            cost: self.cost,
        }
    }

    /// So many were wanted by the script and by those before it.
    pub(super) fn wanted(&self, is: impl Fn(&Action) -> bool) -> usize {
        self.settled.iter().map(|(_, action)| action).chain(&self.actions).filter(|action| is(action)).count()
    }

    /// Is it passed on to them already?
    pub(super) fn goes_to(&self, recipients: &Recipients) -> bool {
        self.wanted(|action| matches!(action, Action::Redirect { to, .. } if to == recipients)) > 0
    }
}
