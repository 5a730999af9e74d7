//! The message for a chat: a custom notification of Amazon Q Developer in chat applications.
//!
//! Slack and Teams read different kinds of markdown and neither has an escape the other knows, so what
//! would format, link or mention is replaced by a character that looks like it. Commands are shown
//! only where they are plain and can be copied.

use serde_json::json;

use crate::body::{counted_more, delivery, did};
use crate::evidence::Evidence;
use crate::finding::FindingGuide;
use crate::finding_story::statement;
use crate::shell::{command, is_plain, show_command};
use crate::told::Told;
use crate::words::{counted, instant, plural};

/// Longest description, in characters; chats refuse or fold longer ones.
const DESCRIPTION_CHARACTERS: usize = 2_500;

/// Longest single part of it, in characters.
const PART_CHARACTERS: usize = 1_200;

/// Longest title and longest next step, in characters.
const LINE_CHARACTERS: usize = 250;

/// Longest keyword, in characters.
const KEYWORD_CHARACTERS: usize = 50;

/// Most events that are listed.
const MOST_EVENTS: usize = 3;

/// Most steps of what is to be done.
const MOST_STEPS: usize = 3;

/// The document of one step.
pub(crate) fn of_incident(told: &Told<'_>) -> String {
    let incident = told.incident;
    let keywords = [
        Some(told.severity.as_str()),
        Some(told.name.as_str()),
        told.account(),
        told.region(),
    ];
    Notification {
        id: format!("{}/{}", told.id, incident.step),
        thread: &told.id,
        title: &told.subject,
        lines: lines(told),
        next_steps: next_steps(told),
        keywords: keywords.into_iter().flatten().collect(),
    }
    .document()
}

fn lines(told: &Told<'_>) -> Vec<String> {
    let incident = told.incident;
    let matched = told.matched();
    let unit = told.guide.as_ref().map_or("event", FindingGuide::unit);
    let count = match incident.told_before {
        0 => counted(matched, unit),
        _ => format!(
            "{} new {}, {matched} in all",
            told.new_events(),
            plural(unit)
        ),
    };
    let mut step = format!("Step {} of incident {}: {count}", incident.step, told.id);
    if let Some(delivery) = delivery(told).filter(|_| told.guide.is_none()) {
        step.push_str(&format!("; {delivery}"));
    }
    step.push('.');
    if incident.may_be_repeat {
        step.push_str(" This message may be a repeat.");
    }
    let mut lines = vec![told.story.clone(), step];
    let shown = told.events.iter().take(MOST_EVENTS);
    let line = match told.guide {
        Some(_) => finding_line,
        None => event_line,
    };
    lines.extend(shown.map(line));
    let more = matched.saturating_sub(told.events.len().min(MOST_EVENTS) as u64);
    if more > 0 && !told.events.is_empty() {
        lines.push(format!("... and {}", counted_more(more, unit)));
    }
    let meaning = told.guide.iter().map(|guide| guide.meaning.clone());
    lines.extend(meaning.filter(|meaning| !meaning.is_empty()));
    lines
}

fn finding_line(event: &Evidence) -> String {
    format!("{}: {}", event.location, statement(event))
}

fn event_line(event: &Evidence) -> String {
    let (time, did, actor) = (instant(event.time), did(event), &event.actor);
    format!("{time}  {did}, by {actor}")
}

/// Already safe for a chat.
fn next_steps(told: &Told<'_>) -> Vec<String> {
    if let Some(guide) = &told.guide {
        let mut commands = told
            .events
            .iter()
            .filter_map(|event| event.finding.as_ref());
        let command = commands.find_map(|finding| copyable(command(&finding.check_command)?));
        let response = guide.response.iter();
        return command
            .map(|command| format!("Check it by hand: `{command}`"))
            .into_iter()
            .chain(
                response
                    .take(MOST_STEPS)
                    .map(|step| escaped(step, LINE_CHARACTERS)),
            )
            .collect();
    }
    let command = told.events.iter().find_map(show_command);
    let command = command
        .and_then(copyable)
        .map(|command| format!("Print an event: `{command}`"));
    let silence = format!(
        "If this is expected, add a suppress entry to filter {}; the mail of this incident proposes one",
        told.name
    );
    command
        .into_iter()
        .chain([escaped(&silence, LINE_CHARACTERS)])
        .collect()
}

/// A command that can be copied from a chat as it is.
fn copyable(command: String) -> Option<String> {
    let is_plain = command.chars().all(|c| is_plain(c) || " |".contains(c));
    (command.len() < LINE_CHARACTERS * 2 && is_plain).then_some(command)
}

/// What a custom notification is made of, not yet escaped but for the next steps.
pub(crate) struct Notification<'a> {
    pub(crate) id: String,
    /// Messages of one thread stand together.
    pub(crate) thread: &'a str,
    pub(crate) title: &'a str,
    pub(crate) lines: Vec<String>,
    pub(crate) next_steps: Vec<String>,
    pub(crate) keywords: Vec<&'a str>,
}

impl Notification<'_> {
    pub(crate) fn document(&self) -> String {
        let keywords: Vec<String> = self
            .keywords
            .iter()
            .map(|keyword| escaped(keyword, KEYWORD_CHARACTERS))
            .filter(|keyword| !keyword.is_empty())
            .collect();
        let title = escaped(self.title, LINE_CHARACTERS);
        let mut content = json!({
            "textType": "client-markdown",
            "title": title,
            "description": self.description(),
        });
        // Lists that are there must not be empty.
        for (name, list) in [("nextSteps", &self.next_steps), ("keywords", &keywords)] {
            if let (Some(members), false) = (content.as_object_mut(), list.is_empty()) {
                members.insert(name.into(), json!(list));
            }
        }
        json!({
            "version": "1.0",
            "source": "custom",
            "id": self.id,
            "content": content,
            "metadata": { "threadId": self.thread, "summary": title },
        })
        .to_string()
    }

    /// As many lines as there is room for.
    fn description(&self) -> String {
        let mut description = String::new();
        let mut room = DESCRIPTION_CHARACTERS;
        let mut left = self.lines.len() as u64;
        for line in &self.lines {
            let line = escaped(line, PART_CHARACTERS);
            let length = line.chars().count() + 2;
            if length > room {
                break;
            }
            if !description.is_empty() {
                description.push_str("\n\n");
            }
            description.push_str(&line);
            room -= length;
            left -= 1;
        }
        if left > 0 {
            description.push_str("\n\n... shortened; the mail has the rest");
        }
        description
    }
}

/// Text that formats, links and mentions nothing, at most so many characters.
fn escaped(text: &str, most_characters: usize) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        let is_inside_word = before.is_alphanumeric() && after.is_alphanumeric();
        let replacement = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '`' => "'",
            '*' => "\u{2217}",
            '~' => "\u{223c}",
            // `deploy_role` and `alice@example.com` mean nothing to a chat.
            '_' if !is_inside_word => "\u{ff3f}",
            '@' if !is_inside_word => "\u{ff20}",
            // The middle of `[text](address)`.
            ']' if after == '(' => "] ",
            _ => "",
        };
        length += replacement.chars().count().max(1);
        if length + 3 > most_characters {
            escaped.push_str("...");
            break;
        }
        match replacement {
            "" => escaped.push(character),
            replacement => escaped.push_str(replacement),
        }
        before = character;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_formats_or_mentions_is_replaced() {
        for (text, expected) in [
            ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;＠U1&gt;"),
            ("@here alice@example.com", "＠here alice@example.com"),
            (
                "deploy_role _x_ *b* `c` ~d~",
                "deploy_role ＿x＿ ∗b∗ 'c' ∼d∼",
            ),
            ("[click](http://x)", "[click] (http://x)"),
            ("[HIGH] a", "[HIGH] a"),
        ] {
            assert_eq!(escaped(text, 100), expected);
        }
    }

    #[test]
    fn long_texts_are_cut_between_replacements() {
        assert_eq!(escaped("&&&&", 13), "&amp;&amp;...");
        assert_eq!(escaped("abc", 6), "abc");
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_formats_or_mentions(text in r"[a-c<>&*_`~@\[\]() ]{0,60}", most in 10_usize..80) {
            let escaped = escaped(&text, most);
            prop_assert!(escaped.chars().count() <= most);
            prop_assert!(!escaped.contains(['<', '>', '*', '`', '~']), "{escaped}");
            prop_assert!(!escaped.contains("]("), "{escaped}");
            let bare: String = escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            prop_assert!(!bare.contains('&'), "{escaped}");
            let padded = format!(" {escaped} ");
            prop_assert!(![" @", " _", "_ "].iter().any(|mark| padded.contains(mark)), "{escaped}");
        }
    }
}
