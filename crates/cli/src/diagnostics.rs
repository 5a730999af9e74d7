//! Errors that point at the text they are about.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use filter_pattern::CompileError;
use metric_filters::Fault;

use crate::output;

/// Says on standard error why something could not be done.
pub(crate) fn error(message: &str) {
    output::note(
        &Renderer::styled().render(&[Level::ERROR.primary_title(message).elements(NOTHING)]),
    );
}

/// Says on standard error what is worth knowing and no error.
pub(crate) fn warning(message: &str) {
    output::note(
        &Renderer::styled().render(&[Level::WARNING.primary_title(message).elements(NOTHING)]),
    );
}

const NOTHING: [annotate_snippets::Message<'static>; 0] = [];

/// The diagnostic of a pattern that does not compile.
pub(crate) fn compile_error(pattern: &str, error: &CompileError) -> String {
    let label = format!("expected {}", error.expected());
    let place = Place {
        path: "pattern",
        text: pattern,
        span: error.span(),
    };
    snippet(
        Level::ERROR,
        error.message(),
        &place,
        Some(&label),
        error.help(),
    )
}

/// The diagnostic of a pattern that compiles and looks like a mistake.
pub(crate) fn pattern_warning(pattern: &str, warning: &filter_pattern::Warning) -> String {
    let place = Place {
        path: "pattern",
        text: pattern,
        span: warning.span(),
    };
    snippet(
        Level::WARNING,
        warning.message(),
        &place,
        None,
        Some(warning.help()),
    )
}

/// The diagnostic of a fault in a filters file.
pub(crate) fn fault(path: &str, text: &str, fault: &Fault) -> String {
    let place = Place {
        path,
        text,
        span: fault.span.clone(),
    };
    snippet(
        Level::ERROR,
        &fault.message,
        &place,
        fault.label.as_deref(),
        fault.help.as_deref(),
    )
}

/// The diagnostic of something allowed that looks like a mistake.
pub(crate) fn doubt(path: &str, text: &str, fault: &Fault) -> String {
    let place = Place {
        path,
        text,
        span: fault.span.clone(),
    };
    snippet(
        Level::WARNING,
        &fault.message,
        &place,
        fault.label.as_deref(),
        fault.help.as_deref(),
    )
}

/// A place in a text.
struct Place<'t> {
    path: &'t str,
    text: &'t str,
    span: Range<usize>,
}

fn snippet(
    level: Level<'_>,
    title: &str,
    place: &Place<'_>,
    label: Option<&str>,
    help: Option<&str>,
) -> String {
    // A place at the very end of the text has no character to point at: point behind it.
    let span = place.span.start.min(place.text.len())..place.span.end.min(place.text.len());
    let annotation = AnnotationKind::Primary
        .span(first_line_of(place.text, span))
        .label(label);
    let source = Snippet::source(place.text)
        .path(place.path)
        .annotation(annotation);
    let group = level.primary_title(title).element(source);
    let group = match help {
        Some(help) => group.element(Level::HELP.message(help)),
        None => group,
    };
    Renderer::styled().render(&[group])
}

/// A place that goes on over several lines is shown by its first.
fn first_line_of(text: &str, span: Range<usize>) -> Range<usize> {
    match text.get(span.clone()).and_then(|inside| inside.find('\n')) {
        Some(newline) => span.start..span.start + newline,
        None => span,
    }
}
