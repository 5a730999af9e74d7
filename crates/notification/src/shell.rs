//! The command that prints an event, safe to paste.

use std::borrow::Cow;

use crate::evidence::Evidence;
use crate::fit::is_whole;

/// `trailwarden show EVENT_ID --from LOCATION`, with `aws s3 cp` before it for an object in S3; `None` if
/// that would not find the event.
pub(crate) fn show_command(event: &Evidence) -> Option<String> {
    let id = event.event_id.as_deref()?;
    // An id that begins with a hyphen would be taken for an option.
    let can_be_found = |text: &str| is_whole(text) && !text.starts_with('-');
    (can_be_found(id) && can_be_found(&event.location)).then(|| {
        let (id, location) = (quoted(id), quoted(&event.location));
        match event.location.starts_with("s3://") {
            true => format!("aws s3 cp {location} - | trailwarden show {id} --from -"),
            false => format!("trailwarden show {id} --from {location}"),
        }
    })
}

/// Words as a command; `None` if a word of it is masked, cut or empty, so that it would do something else.
pub(crate) fn command(words: &[String]) -> Option<String> {
    let is_complete = !words.is_empty() && words.iter().all(|word| is_whole(word));
    let words: Vec<Cow<'_, str>> = words.iter().map(|word| quoted(word)).collect();
    is_complete.then(|| words.join(" "))
}

/// In quotes unless it is plain: nothing in it means anything to a shell.
fn quoted(text: &str) -> Cow<'_, str> {
    match text.chars().all(is_plain) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("'{}'", text.replace('\'', r"'\''"))),
    }
}

/// Does this character stand for itself wherever it stands, in shells and in chats?
pub(crate) fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_./:@%+-".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EvidenceContext;

    fn command(id: &str, location: &str) -> Option<String> {
        let record = raw_json::Object::parse(b"{}").unwrap();
        let mut evidence = Evidence::of(record, &EvidenceContext::default());
        evidence.event_id = Some(id.into());
        evidence.location = location.into();
        show_command(&evidence)
    }

    #[test]
    fn ids_and_keys_cannot_run_anything() {
        for (id, location, expected) in [
            (
                "e-1",
                "s3://b/k.json.gz",
                "aws s3 cp s3://b/k.json.gz - | trailwarden show e-1 --from -",
            ),
            ("$(reboot)", "a", "trailwarden show '$(reboot)' --from a"),
            (
                "e",
                "my logs/it's",
                r"trailwarden show e --from 'my logs/it'\''s'",
            ),
            ("e;`x`", "a", "trailwarden show 'e;`x`' --from a"),
        ] {
            assert_eq!(command(id, location).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_would_not_find_the_event_is_not_proposed() {
        assert_eq!(command("--mask", "a"), None);
        assert_eq!(command("e", "-a"), None);
        assert_eq!(command("", "a"), None);
        assert_eq!(command("cut…", "a"), None);
        assert_eq!(command("e", "token=***"), None);
    }
}
