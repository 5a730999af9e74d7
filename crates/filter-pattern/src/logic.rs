//! Tests joined by `&&` and `||`, kept flat.
//!
//! The nodes of a tree lie in one list, children before their parents, so that evaluating, printing
//! and dropping it are loops. Parentheses leave no node of their own.

use std::ops::Range;

/// A formula over tests that are numbered in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Children before parents; the last is the root.
    nodes: Vec<Node>,
    /// For each test what its outcome leads to.
    jumps: Vec<Jump>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Test(usize),
    /// `&&`
    All(Vec<usize>),
    /// `||`
    Any(Vec<usize>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Jump {
    if_true: Next,
    if_false: Next,
}

/// Where the outcome of a test leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Test(usize),
    Decided(bool),
}

/// A place in a walk over the tree, parents first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit<'t> {
    pub(crate) node: &'t Node,
    pub(crate) index: usize,
    pub(crate) depth: usize,
}

impl Tree {
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Is the formula true, if `holds` tells which tests are? Asks no test that cannot matter.
    pub(crate) fn decide(&self, mut holds: impl FnMut(usize) -> bool) -> bool {
        // INVARIANT: jumps lead forward, so this ends.
        let mut test = 0;
        while let Some(jump) = self.jumps.get(test) {
            let next = if holds(test) {
                jump.if_true
            } else {
                jump.if_false
            };
            match next {
                Next::Test(next) => test = next,
                Next::Decided(outcome) => return outcome,
            }
        }
        false
    }

    /// For each test where it leads if it is true, and if it is not; always forward.
    pub(crate) fn jumps(&self) -> impl Iterator<Item = (Next, Next)> {
        self.jumps.iter().map(|jump| (jump.if_true, jump.if_false))
    }

    /// A value for each node, from the values of its children.
    pub(crate) fn fold<T>(&self, mut value: impl FnMut(&Node, &[T]) -> T) -> Vec<T> {
        let mut values = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let next = value(node, &values);
            values.push(next);
        }
        values
    }

    /// All nodes, parents before children, in the order of the text.
    pub(crate) fn walk(&self) -> Vec<Visit<'_>> {
        let mut visits = Vec::with_capacity(self.nodes.len());
        let mut ahead = vec![(self.nodes.len().saturating_sub(1), 0)];
        while let Some((index, depth)) = ahead.pop() {
            let Some(node) = self.nodes.get(index) else {
                continue;
            };
            visits.push(Visit { node, index, depth });
            if let Node::All(children) | Node::Any(children) = node {
                ahead.extend(children.iter().rev().map(|child| (*child, depth + 1)));
            }
        }
        visits
    }

    /// Writes the formula; a compound within a compound stands in parentheses, if it needs them or
    /// `spacious` is asked for.
    pub(crate) fn write(
        &self,
        out: &mut String,
        spacious: bool,
        mut write_test: impl FnMut(&mut String, usize),
    ) {
        enum Part<'t> {
            Node {
                index: usize,
                inside: Option<&'t Node>,
            },
            Text(&'static str),
        }
        let root = self.nodes.len().saturating_sub(1);
        let mut ahead = vec![Part::Node {
            index: root,
            inside: None,
        }];
        while let Some(part) = ahead.pop() {
            let (index, inside) = match part {
                Part::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Part::Node { index, inside } => (index, inside),
            };
            let Some(node) = self.nodes.get(index) else {
                continue;
            };
            let (children, operator) = match node {
                Node::Test(test) => {
                    write_test(out, *test);
                    continue;
                }
                Node::All(children) => (children, if spacious { " && " } else { "&&" }),
                Node::Any(children) => (children, if spacious { " || " } else { "||" }),
            };
            let grouped = match (inside, node) {
                (None, _) => false,
                (Some(Node::Any(_)), Node::All(_)) => spacious,
                _ => true,
            };
            if grouped {
                out.push('(');
                ahead.push(Part::Text(")"));
            }
            for (place, child) in children.iter().enumerate().rev() {
                ahead.push(Part::Node {
                    index: *child,
                    inside: Some(node),
                });
                if place > 0 {
                    ahead.push(Part::Text(operator));
                }
            }
        }
    }
}

/// Builds a tree from what a parser meets, in its order, without recursion.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    tests: usize,
    current: Group,
    /// The groups around the current one, outermost first.
    around: Vec<(Group, Range<usize>)>,
}

/// What was read since a parenthesis: alternatives that are complete, and the one under way.
#[derive(Debug, Default)]
struct Group {
    alternatives: Vec<usize>,
    conjuncts: Vec<usize>,
}

impl Builder {
    /// `(` at `span`
    pub(crate) fn open(&mut self, span: Range<usize>) {
        self.around.push((std::mem::take(&mut self.current), span));
    }

    /// `)`; `false` if none is open.
    pub(crate) fn close(&mut self) -> bool {
        let Some((outer, _)) = self.around.pop() else {
            return false;
        };
        let group = std::mem::replace(&mut self.current, outer);
        let node = self.join(group);
        self.current.conjuncts.push(node);
        true
    }

    /// Where the innermost open parenthesis stands.
    pub(crate) fn innermost(&self) -> Option<Range<usize>> {
        self.around.last().map(|(_, span)| span.clone())
    }

    /// The next test.
    pub(crate) fn test(&mut self) {
        self.nodes.push(Node::Test(self.tests));
        self.tests += 1;
        self.current.conjuncts.push(self.nodes.len() - 1);
    }

    /// `||`; for `&&` there is nothing to do.
    pub(crate) fn or(&mut self) {
        let conjuncts = std::mem::take(&mut self.current.conjuncts);
        let alternative = self.join_as(conjuncts, Node::All);
        self.current.alternatives.push(alternative);
    }

    pub(crate) fn finish(mut self) -> Tree {
        let group = std::mem::take(&mut self.current);
        self.join(group);
        let jumps = jumps(&self.nodes, self.tests);
        Tree {
            nodes: self.nodes,
            jumps,
        }
    }

    fn join(&mut self, group: Group) -> usize {
        let mut alternatives = group.alternatives;
        alternatives.push(self.join_as(group.conjuncts, Node::All));
        self.join_as(alternatives, Node::Any)
    }

    fn join_as(&mut self, children: Vec<usize>, node: fn(Vec<usize>) -> Node) -> usize {
        if let [only] = children.as_slice() {
            return *only;
        }
        self.nodes.push(node(children));
        self.nodes.len() - 1
    }
}

/// Turns the tree into jumps from test to test.
fn jumps(nodes: &[Node], tests: usize) -> Vec<Jump> {
    // The first test of each node; children stand before their parents.
    let mut first_test: Vec<usize> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let first = match node {
            Node::Test(test) => *test,
            Node::All(children) | Node::Any(children) => children
                .first()
                .and_then(|child| first_test.get(*child))
                .copied()
                .unwrap_or_default(),
        };
        first_test.push(first);
    }
    let undecided = Jump {
        if_true: Next::Decided(true),
        if_false: Next::Decided(false),
    };
    let mut exits = vec![undecided; nodes.len()];
    let mut jumps = vec![undecided; tests];
    for (index, node) in nodes.iter().enumerate().rev() {
        let exit = exits.get(index).copied().unwrap_or(undecided);
        let (children, is_all) = match node {
            Node::Test(test) => {
                if let Some(jump) = jumps.get_mut(*test) {
                    *jump = exit;
                }
                continue;
            }
            Node::All(children) => (children, true),
            Node::Any(children) => (children, false),
        };
        for (place, child) in children.iter().enumerate() {
            let mut leads_to = exit;
            if let Some(next) = children
                .get(place + 1)
                .and_then(|next| first_test.get(*next))
            {
                match is_all {
                    true => leads_to.if_true = Next::Test(*next),
                    false => leads_to.if_false = Next::Test(*next),
                }
            }
            if let Some(slot) = exits.get_mut(*child) {
                *slot = leads_to;
            }
        }
    }
    jumps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters are tests; `&`, `|` and parentheses as usual.
    fn tree(text: &str) -> Tree {
        let mut builder = Builder::default();
        for character in text.chars() {
            match character {
                '(' => builder.open(0..0),
                ')' => assert!(builder.close()),
                '|' => builder.or(),
                '&' => {}
                _ => builder.test(),
            }
        }
        builder.finish()
    }

    fn shown(tree: &Tree, spacious: bool) -> String {
        let mut out = String::new();
        tree.write(&mut out, spacious, |out, test| {
            out.push(char::from(b'a' + u8::try_from(test).expect("few tests")));
        });
        out
    }

    #[test]
    fn and_binds_closer_than_or() {
        let tree = tree("a|b&c");
        assert_eq!(shown(&tree, true), "a || (b && c)");
        assert_eq!(shown(&tree, false), "a||b&&c");
        assert!(tree.decide(|test| test == 0));
        assert!(!tree.decide(|test| test == 1));
    }

    #[test]
    fn parentheses_that_change_nothing_leave_nothing() {
        assert_eq!(tree("((a&(b)))"), tree("a&b"));
        assert_eq!(tree("(a&b)|c"), tree("a&b|c"));
        assert_ne!(tree("a&(b&c)"), tree("a&b&c"));
        assert_eq!(shown(&tree("(a|b)&(c&d)"), false), "(a||b)&&(c&&d)");
    }

    #[test]
    fn deciding_by_jumps_is_folding_the_tree() {
        for text in [
            "a",
            "a&b",
            "a|b&c|d",
            "(a|b)&(c|d)",
            "((a|b)&c|d)&(e|(f&a|b))",
        ] {
            let tree = tree(text);
            for truth in 0..256u32 {
                let holds = |test: usize| truth >> test & 1 == 1;
                let folded = tree.fold(|node, values: &[bool]| match node {
                    Node::Test(test) => holds(*test),
                    Node::All(children) => children.iter().all(|child| values[*child]),
                    Node::Any(children) => children.iter().any(|child| values[*child]),
                });
                assert_eq!(
                    tree.decide(holds),
                    *folded.last().expect("a root"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_closing_parenthesis_needs_an_opening_one() {
        assert!(!Builder::default().close());
    }
}
