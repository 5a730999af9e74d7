//! The text of a message about findings: what was found, what it means, what to do.

use crate::body::{condition, counted_more, group, which};
use crate::evidence::Evidence;
use crate::finding::FindingGuide;
use crate::finding_story::{found, right, statement};
use crate::page::Page;
use crate::shell::command;
use crate::told::{Told, only};
use crate::words::{counted, duration, instant};

/// The text of one step, with so many findings.
pub(crate) fn of_incident(told: &Told<'_>, shown: usize) -> String {
    let nothing = FindingGuide::default();
    let guide = told.guide.as_ref().unwrap_or(&nothing);
    let mut page = Page::default();
    page.paragraph(&told.story);
    page.paragraph(&which(told, "findings"));
    page.blank();
    facts(told, guide, &mut page);
    if !guide.meaning.is_empty() {
        page.paragraph("What it means");
        page.blank();
        page.wrapped(&guide.meaning, "", "");
    }
    response(guide, &mut page);
    findings(told, guide, shown, &mut page);
    why(told, &mut page);
    if let Some(acceptance) = &guide.acceptance {
        page.paragraph("If this is expected");
        page.blank();
        page.wrapped(acceptance, "", "");
    }
    page.into_text()
}

fn facts(told: &Told<'_>, guide: &FindingGuide, page: &mut Page) {
    page.fact("Stream", &group(told));
    page.fact("Last right", &last_right(told));
    page.fact("Found", &found_and_told(told));
    page.fact("How many", &how_many(told, guide));
}

/// When what is wrong was last found right.
fn last_right(told: &Told<'_>) -> String {
    let known = |event: &&Evidence| event.finding.as_ref().is_some_and(|it| it.since.is_some());
    let unknown = told.events.len() - told.events.iter().filter(known).count();
    let span = right(told.events.iter()).map(span);
    match (span, unknown) {
        (None, 0) => String::new(),
        (None, _) => "not known: it had not been checked before".into(),
        (Some(span), 0) => span,
        (Some(span), unknown) => {
            format!("{span}; of {unknown} not known: not checked before")
        }
    }
}

/// `2026-03-02 14:05:00 UTC; told 2 minutes later`.
fn found_and_told(told: &Told<'_>) -> String {
    let Some((first, last)) = found(told.events.iter()) else {
        return String::new();
    };
    let when = span((first, last));
    match told.delay_seconds() {
        Some(delay) if told.is_late() => format!("{when}; delivered {} late", duration(delay)),
        Some(delay) if delay >= 0 => format!("{when}; told {} later", duration(delay)),
        _ => when,
    }
}

fn span((first, last): (i64, i64)) -> String {
    match first == last {
        true => instant(first),
        false => format!("between {} and {}", instant(first), instant(last)),
    }
}

/// `12 files, 7 of them new since the last message`.
fn how_many(told: &Told<'_>, guide: &FindingGuide) -> String {
    let matched = told.matched();
    let mut text = counted(matched, guide.unit());
    if told.incident.told_before > 0 {
        let new = told.new_events();
        text.push_str(&format!(", {new} of them new since the last message"));
    }
    let kept = told.events.len();
    if (kept as u64) < matched {
        text.push_str(&match kept {
            0 => "; none of them was kept for this message".into(),
            kept => format!("; what stands here is told from {kept} of them"),
        });
    }
    match told.incident.beyond_horizon {
        0 => {}
        old => text.push_str(&format!(
            "; {old} of them last right more than 14 days ago: those may be counted twice"
        )),
    }
    text
}

fn response(guide: &FindingGuide, page: &mut Page) {
    if guide.response.is_empty() {
        return;
    }
    page.paragraph("What to do");
    page.blank();
    for (index, step) in guide.response.iter().enumerate() {
        page.wrapped(step, &format!("{:>2}. ", index + 1), "    ");
    }
}

fn findings(told: &Told<'_>, guide: &FindingGuide, shown: usize, page: &mut Page) {
    let matched = told.matched();
    if told.events.is_empty() {
        page.paragraph("What was found was not kept. `trailwarden validate-logs` over that time finds it again.");
        return;
    }
    let common = common_command(told);
    let has_commands = told.events.iter().any(|event| command_of(event).is_some());
    page.paragraph(match (&common, has_commands) {
        (Some(_), _) => "What was found. This command checks it by hand:",
        (None, true) => "What was found. The command checks it by hand.",
        (None, false) => "What was found.",
    });
    page.blank();
    if let Some(command) = &common {
        page.line(&format!("    {command}"));
        page.blank();
    }
    for (index, event) in told.events.iter().take(shown).enumerate() {
        finding_lines(index + 1, event, page);
        if let (None, Some(command)) = (&common, command_of(event)) {
            page.line(&format!("    {command}"));
        }
    }
    match matched.saturating_sub(shown as u64) {
        0 => {}
        more => page.line(&format!("... and {}", counted_more(more, guide.unit()))),
    }
}

fn finding_lines(number: usize, event: &Evidence, page: &mut Page) {
    let indent = "    ";
    let location = match event.location.as_str() {
        "" => "unknown place",
        location => location,
    };
    page.wrapped(location, &format!("{number:>2}. "), indent);
    page.wrapped(statement(event), indent, indent);
    let Some(finding) = &event.finding else {
        return;
    };
    if let Some(since) = finding.since {
        let since = format!("last found right: {}", instant(since));
        page.wrapped(&since, indent, indent);
    }
    for (label, value) in &finding.facts {
        page.wrapped(&format!("{label}: {value}"), indent, indent);
    }
}

fn command_of(event: &Evidence) -> Option<String> {
    command(&event.finding.as_ref()?.check_command)
}

/// The command that checks all that was found.
fn common_command(told: &Told<'_>) -> Option<String> {
    let commands: Vec<Option<String>> = told.events.iter().map(command_of).collect();
    only(commands.iter().map(Option::as_deref)).map(String::from)
}

fn why(told: &Told<'_>, page: &mut Page) {
    page.paragraph("Why this was sent");
    page.blank();
    page.fact("Finding", &told.name);
    page.fact("Condition", &condition(told));
}
