//! What Rust source says, as far as grants follow from it: functions, the calls in them, constants.
//!
//! Test code is left out. Calls are told apart by name and receiver, not by type: where that is not enough,
//! it is a fault and never a call that is overlooked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprCall, ExprField, ExprMethodCall, ExprPath, Item, Macro, Member, Token,
};

/// The files of a workspace by their paths from its root. Tests put other text in.
#[derive(Debug, Clone)]
pub struct Sources {
    root: PathBuf,
    replaced: BTreeMap<PathBuf, String>,
}

impl Sources {
    /// The files as they are.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Sources {
            root: root.into(),
            replaced: BTreeMap::new(),
        }
    }

    /// A copy in which a text stands for another in a file.
    ///
    /// # Panics
    /// The other text is not in it.
    #[must_use]
    pub fn with(&self, path: &str, from: &str, to: &str) -> Sources {
        let text = self.text(Path::new(path));
        assert!(text.contains(from), "expected `{from}` in {path}");
        let mut changed = self.clone();
        changed
            .replaced
            .insert(path.into(), text.replacen(from, to, 1));
        changed
    }

    /// The text of a file.
    ///
    /// # Panics
    /// It cannot be read.
    fn text(&self, path: &Path) -> String {
        self.replaced.get(path).cloned().unwrap_or_else(|| {
            let path = self.root.join(path);
            std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("expected {}: {error}", path.display()))
        })
    }

    /// A file, read and parsed.
    ///
    /// # Panics
    /// It cannot be.
    pub fn file(&self, path: impl AsRef<Path>) -> syn::File {
        let path = path.as_ref();
        syn::parse_file(&self.text(path))
            .unwrap_or_else(|error| panic!("{} is no Rust: {error}", path.display()))
    }

    /// A crate or binary from its first file on, without what is for tests only.
    ///
    /// # Panics
    /// A file cannot be read or parsed.
    pub fn files(&self, first: impl AsRef<Path>) -> Vec<SourceFile> {
        let first = first.as_ref();
        let folder = first.parent().unwrap_or(Path::new(""));
        let file = self.file(first);
        let mut files = Vec::new();
        self.modules(folder, &file.items, &mut files);
        files.push(SourceFile {
            path: first.to_owned(),
            items: without_tests(file.items),
        });
        files
    }

    fn modules(&self, folder: &Path, items: &[Item], files: &mut Vec<SourceFile>) {
        for item in items {
            let Item::Mod(module) = item else { continue };
            if module.content.is_some() || is_for_tests(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let path = folder.join(format!("{name}.rs"));
            let file = self.file(&path);
            self.modules(&folder.join(&name), &file.items, files);
            files.push(SourceFile {
                path,
                items: without_tests(file.items),
            });
        }
    }
}

/// The items of a file that are not for tests, those of inline modules among them.
pub struct SourceFile {
    /// From the root of the workspace.
    pub path: PathBuf,
    pub(crate) items: Vec<Item>,
}

fn without_tests(items: Vec<Item>) -> Vec<Item> {
    let mut kept = Vec::new();
    for item in items {
        match item {
            Item::Mod(module) => {
                if let (Some((_, inner)), false) = (module.content, is_for_tests(&module.attrs)) {
                    kept.extend(without_tests(inner));
                }
            }
            Item::Fn(function) if is_for_tests(&function.attrs) => {}
            Item::Impl(block) if is_for_tests(&block.attrs) => {}
            item => kept.push(item),
        }
    }
    kept
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.parse_args::<syn::Ident>();
        attribute.path().is_ident("cfg") && condition.is_ok_and(|condition| condition == "test")
    })
}

/// A function or method with what it calls.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The type whose method it is.
    pub(crate) of_type: Option<String>,
    /// The trait it implements.
    pub(crate) of_trait: Option<String>,
    /// The last word of the type it returns.
    pub(crate) returns: Option<String>,
    pub(crate) calls: Calls,
}

impl SourceFile {
    /// All functions and methods.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for item in &self.items {
            match item {
                Item::Fn(function) => {
                    functions.push(read_function(&function.sig, &function.block));
                }
                Item::Impl(block) => {
                    let of_type = type_name(&block.self_ty);
                    let of_trait = block
                        .trait_
                        .as_ref()
                        .and_then(|(_, path, _)| last_word(path));
                    for item in &block.items {
                        let syn::ImplItem::Fn(method) = item else {
                            continue;
                        };
                        if is_for_tests(&method.attrs) {
                            continue;
                        }
                        functions.push(Function {
                            of_type: of_type.clone(),
                            of_trait: of_trait.clone(),
                            ..read_function(&method.sig, &method.block)
                        });
                    }
                }
                Item::Trait(item) => {
                    for method in item.items.iter().filter_map(default_method) {
                        functions.push(method);
                    }
                }
                _ => {}
            }
        }
        functions
    }

    /// The types that it imports from its own crate, and everything else it does.
    pub(crate) fn imports(&self) -> Vec<String> {
        let mut names = Vec::new();
        for item in &self.items {
            if let Item::Use(import) = item
                && let syn::UseTree::Path(path) = &import.tree
                && ["crate", "super", "self"]
                    .iter()
                    .any(|word| path.ident == word)
            {
                add_imports(&path.tree, &mut names);
            }
        }
        names
    }

    /// Text constants.
    pub(crate) fn constants(&self) -> BTreeMap<String, String> {
        let constants = self.items.iter().filter_map(|item| match item {
            Item::Const(item) => Some((item.ident.to_string(), literal(&item.expr)?)),
            _ => None,
        });
        constants.collect()
    }

    /// The method names of traits, by trait.
    pub(crate) fn traits(&self) -> Vec<(String, Vec<String>)> {
        let traits = self.items.iter().filter_map(|item| match item {
            Item::Trait(item) => {
                let methods = item.items.iter().filter_map(|item| match item {
                    syn::TraitItem::Fn(method) => Some(method.sig.ident.to_string()),
                    _ => None,
                });
                Some((item.ident.to_string(), methods.collect()))
            }
            _ => None,
        });
        traits.collect()
    }
}

fn add_imports(tree: &syn::UseTree, names: &mut Vec<String>) {
    match tree {
        syn::UseTree::Path(path) => add_imports(&path.tree, names),
        syn::UseTree::Name(name) => names.push(name.ident.to_string()),
        syn::UseTree::Rename(renamed) => names.push(renamed.ident.to_string()),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                add_imports(tree, names);
            }
        }
        syn::UseTree::Glob(_) => {}
    }
}

fn default_method(item: &syn::TraitItem) -> Option<Function> {
    match item {
        syn::TraitItem::Fn(method) => Some(read_function(&method.sig, method.default.as_ref()?)),
        _ => None,
    }
}

fn read_function(signature: &syn::Signature, block: &syn::Block) -> Function {
    let mut calls = Calls::default();
    calls.visit_block(block);
    Function {
        name: signature.ident.to_string(),
        of_type: None,
        of_trait: None,
        returns: match &signature.output {
            syn::ReturnType::Type(_, kind) => type_name(kind),
            syn::ReturnType::Default => None,
        },
        calls,
    }
}

/// What a function calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Methods of something.
    pub(crate) methods: Vec<MethodCall>,
    /// Methods of an SDK client, with the index a request names.
    pub(crate) requests: Vec<Request>,
    /// Functions that are called or passed on, and whatever else is named by a path.
    pub(crate) paths: Vec<Named>,
    /// Macros that are not read, as text.
    pub(crate) unread_macros: Vec<String>,
    /// What keeps requests from being told.
    pub(crate) faults: Vec<String>,
    index: Option<String>,
}

/// A method that is called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MethodCall {
    /// The last name of what it is called on: `queue` for `self.ports.queue`.
    pub(crate) receiver: Option<String>,
    pub(crate) method: String,
}

/// The end of a path: `Items::get_item`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The word before the last.
    pub(crate) within: Option<String>,
    pub(crate) name: String,
}

/// An operation that is asked of an SDK client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// As the SDK names it: `get_object`.
    pub(crate) method: String,
    /// The index it names, as it is written.
    pub(crate) index: Option<String>,
}

/// Fields and variables of this name are SDK clients; `faults_of_fields` sees to it that all clients have it.
const CLIENT: &str = "client";

impl<'ast> Visit<'ast> for Calls {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let method = call.method.to_string();
        if is_client(&call.receiver) {
            let index = self.index.take();
            self.requests.push(Request { method, index });
        } else {
            let names_index = method == "index_name";
            if names_index {
                self.index = call.args.first().and_then(written);
            }
            self.methods.push(MethodCall {
                receiver: last_name(&call.receiver),
                method,
            });
            self.visit_expr(&call.receiver);
            if names_index && self.index.take().is_some() {
                self.faults
                    .push("an index is named apart from its request".to_owned());
            }
        }
        for argument in &call.args {
            self.visit_expr(argument);
        }
    }

    fn visit_expr_field(&mut self, field: &'ast ExprField) {
        if matches!(&field.member, Member::Named(name) if name == CLIENT) {
            self.faults.push("a client is passed on".to_owned());
        }
        visit::visit_expr_field(self, field);
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if path.path.is_ident(CLIENT) {
            self.faults.push("a client is passed on".to_owned());
        }
        let mut words = path.path.segments.iter().rev();
        if let Some(last) = words.next() {
            self.paths.push(Named {
                within: words.next().map(|word| word.ident.to_string()),
                name: last.ident.to_string(),
            });
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        // `join!(a, b)` holds expressions; whatever else a macro holds is kept for a look at its words.
        match call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            Ok(arguments) => {
                let mut inner = Calls::default();
                for argument in &arguments {
                    inner.visit_expr(argument);
                }
                self.methods.append(&mut inner.methods);
                self.requests.append(&mut inner.requests);
                self.paths.append(&mut inner.paths);
                self.unread_macros.append(&mut inner.unread_macros);
                self.faults.append(&mut inner.faults);
            }
            Err(_) => self.unread_macros.push(call.tokens.to_string()),
        }
    }
}

impl Calls {
    /// Whether a macro that is not read has one of these words.
    pub(crate) fn hides(&self, words: &[&str]) -> bool {
        let of_a_name = |c: char| c.is_alphanumeric() || c == '_';
        self.unread_macros.iter().any(|text| {
            let mut found = text.split(|c| !of_a_name(c));
            found.any(|word| words.contains(&word))
        })
    }

    /// As [`hides`](Self::hides), for a client.
    pub(crate) fn hides_a_client(&self) -> bool {
        self.hides(&[CLIENT])
    }
}

/// What keeps SDK clients from being known by their name: fields of another name.
pub(crate) fn faults_of_fields(file: &SourceFile) -> Vec<String> {
    let structs = file.items.iter().filter_map(|item| match item {
        Item::Struct(item) => Some(&item.fields),
        _ => None,
    });
    let clients = structs
        .flatten()
        .filter(|field| type_name(&field.ty).as_deref() == Some("Client"));
    let others = clients.filter(|field| field.ident.as_ref().is_none_or(|name| name != CLIENT));
    others
        .map(|_| format!("expected every client to be a field `{CLIENT}`"))
        .collect()
}

fn is_client(expression: &Expr) -> bool {
    match expression {
        Expr::Field(field) => matches!(&field.member, Member::Named(name) if name == CLIENT),
        Expr::Path(path) => path.path.is_ident(CLIENT),
        Expr::Paren(inner) => is_client(&inner.expr),
        Expr::Reference(inner) => is_client(&inner.expr),
        // `Client::new(config).get_object()`.
        Expr::Call(ExprCall { func, .. }) => match &**func {
            Expr::Path(path) => {
                let mut words = path.path.segments.iter().rev();
                words.nth(1).is_some_and(|word| word.ident == "Client")
            }
            _ => false,
        },
        _ => false,
    }
}

/// The last name of an expression: `queue` for `&self.ports.queue` and `ports.queue()`.
pub(crate) fn last_name(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Field(field) => match &field.member {
            Member::Named(name) => Some(name.to_string()),
            Member::Unnamed(_) => None,
        },
        Expr::Path(path) => last_word(&path.path),
        Expr::MethodCall(call) if call.args.is_empty() => Some(call.method.to_string()),
        Expr::Paren(inner) => last_name(&inner.expr),
        Expr::Reference(inner) => last_name(&inner.expr),
        Expr::Try(inner) => last_name(&inner.expr),
        _ => None,
    }
}

/// A text literal, or the last word of a path: `DUE_INDEX`.
fn written(expression: &Expr) -> Option<String> {
    literal(expression).or_else(|| last_name(expression))
}

/// A text literal.
pub(crate) fn literal(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            syn::Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// The last word of a path.
pub(crate) fn last_word(path: &syn::Path) -> Option<String> {
    path.segments.last().map(|word| word.ident.to_string())
}

/// The last word of a type's path.
pub(crate) fn type_name(kind: &syn::Type) -> Option<String> {
    match kind {
        syn::Type::Path(path) => last_word(&path.path),
        syn::Type::Reference(inner) => type_name(&inner.elem),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(body: &str) -> Calls {
        let mut calls = Calls::default();
        calls.visit_block(&syn::parse_str(&format!("{{ {body} }}")).unwrap());
        calls
    }

    fn requests(body: &str) -> Vec<(String, Option<String>)> {
        let requests = calls(body).requests.into_iter();
        requests
            .map(|request| (request.method, request.index))
            .collect()
    }

    #[test]
    fn a_request_is_a_method_of_a_client() {
        let found = requests("self.client.get_object().bucket(b).send().await");
        assert_eq!(found, [("get_object".to_owned(), None)]);
        let found = requests("let a = client.query().index_name(table::DUE).limit(3);");
        assert_eq!(found, [("query".to_owned(), Some("DUE".to_owned()))]);
        let found =
            requests("Client::new(c).put_item().send(); retry(async || self.client.publish())");
        assert_eq!(found.len(), 2);
        assert_eq!(requests("self.other.get_object()"), []);
    }

    #[test]
    fn a_request_in_a_macro_is_found_or_said_to_be_hidden() {
        let found = calls("tokio::join!(self.client.get_item().send(), b)");
        assert_eq!(found.requests.len(), 1);
        let hidden = calls("select! { a = self.client.get_item().send() => {} }");
        assert!(hidden.requests.is_empty() && hidden.hides_a_client());
        assert!(!calls("debug!(operation = X, \"clients\")").hides_a_client());
    }

    #[test]
    fn a_client_or_an_index_that_goes_astray_is_a_fault() {
        for body in [
            "let c = &self.client; c.get_item()",
            "send(client)",
            "let q = self.client.query(); q.index_name(DUE)",
        ] {
            assert_eq!(calls(body).faults.len(), 1, "{body}");
        }
    }

    #[test]
    fn the_receiver_is_told_by_its_last_name() {
        let found = calls("self.ports.queue.send_messages(&m).await?; self.publish(m)").methods;
        assert_eq!(found[0].receiver.as_deref(), Some("queue"));
        assert_eq!(found[1].receiver.as_deref(), Some("self"));
        let found = calls("outside.queue().send_messages(&m)").methods;
        assert_eq!(found[0].receiver.as_deref(), Some("queue"));
        let found = calls("queue_of(group).send_messages(&m)").methods;
        assert_eq!(found[0].receiver, None);
    }

    #[test]
    fn test_code_is_left_out() {
        let text = "fn a() { x.b(); } #[cfg(test)] mod tests { fn c() {} } mod d { fn e() {} }";
        let items = without_tests(syn::parse_file(text).unwrap().items);
        let file = SourceFile {
            path: PathBuf::new(),
            items,
        };
        let names: Vec<_> = file
            .functions()
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(names, ["a", "e"]);
    }
}
