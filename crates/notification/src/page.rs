//! Plain text for people: paragraphs, facts with a label, lines that must stay as they are.

use textwrap::{Options, WordSplitter};

/// Where lines break.
const COLUMNS: usize = 100;

/// Where what a label is about begins.
const LABEL_COLUMNS: usize = 12;

/// A text that is written from top to bottom.
#[derive(Default)]
pub(crate) struct Page(String);

impl Page {
    /// A paragraph, with an empty line before it.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.blank();
        self.wrapped(text, "", "");
    }

    /// `Who         alice (IAM user)`; nothing if there is nothing to say.
    pub(crate) fn fact(&mut self, label: &str, text: &str) {
        if !text.is_empty() {
            let label = format!("{label:LABEL_COLUMNS$}");
            self.wrapped(text, &label, &" ".repeat(LABEL_COLUMNS));
        }
    }

    /// Text behind `first`, with `rest` before each further line.
    pub(crate) fn wrapped(&mut self, text: &str, first: &str, rest: &str) {
        // ASCII in our own words; what stands in names stays.
        let text = text.replace('…', "...");
        let options = Options::new(COLUMNS)
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false)
            .word_splitter(WordSplitter::NoHyphenation);
        for line in textwrap::wrap(&text, options) {
            self.line(line.trim_end());
        }
    }

    /// A line that is not broken: something to copy.
    pub(crate) fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// An empty line, except at the top.
    pub(crate) fn blank(&mut self) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_aligned_and_wrapped() {
        let mut page = Page::default();
        page.fact("Who", &"alice ".repeat(20));
        page.fact("Nothing", "");
        page.paragraph("done…");
        let lines: Vec<String> = page.into_text().lines().map(String::from).collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("Who         alice alice") && lines[0].len() <= COLUMNS);
        assert!(lines[1].starts_with("            alice"));
        assert_eq!((lines[2].as_str(), lines[3].as_str()), ("", "done..."));
    }
}
