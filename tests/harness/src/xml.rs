//! The XML that services of the query protocol answer with: machine-made, without attributes that matter.

/// The contents of all elements of this name that are not inside one of the same name, in order.
pub(crate) fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some((_, after)) = rest.split_once(&open) {
        let Some(length) = closing(after, &open, &close) else {
            break;
        };
        let (content, tail) = after.split_at(length);
        found.push(content);
        rest = tail;
    }
    found
}

/// The text of the first element of this name.
pub(crate) fn text(xml: &str, name: &str) -> Option<String> {
    elements(xml, name).first().map(|text| unescape(text))
}

/// Where the element ends whose content begins here.
fn closing(content: &str, open: &str, close: &str) -> Option<usize> {
    let mut depth = 0;
    let mut from = 0;
    loop {
        let end = from + content.get(from..)?.find(close)?;
        depth += content.get(from..end)?.matches(open).count();
        if depth == 0 {
            return Some(end);
        }
        depth -= 1;
        from = end + close.len();
    }
}

fn unescape(text: &str) -> String {
    // The ampersand last, or what it makes would be read again.
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, character)| {
        text.replace(entity, character)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_a_name_may_hold_others_of_it() {
        let xml =
            "<r><member><a>1</a><m><member>x</member></m></member><member><a>2</a></member></r>";
        let members = elements(xml, "member");
        assert_eq!(
            members,
            ["<a>1</a><m><member>x</member></m>", "<a>2</a>"],
            "{members:?}"
        );
        assert_eq!(text(xml, "a").as_deref(), Some("1"));
        assert_eq!(text("<a>&lt;&amp;lt;</a>", "a").as_deref(), Some("<&lt;"));
        assert_eq!(text(xml, "b"), None);
    }
}
