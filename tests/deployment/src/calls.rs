//! Which AWS operations a function asks for, and of what: from the source of `ports`, `aws-clients` and the
//! function itself.
//!
//! A function calls methods of ports (`items.get_item`). `aws-clients` implements them by requests
//! (`self.client.get_item()`). The function's `main.rs` says which client a port is and which setting it is
//! made with (`clients.items(&settings.table)`), `settings.rs` which variable of the environment that is
//! (`TRAILWARDEN_TABLE`). What cannot be told is an error.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, ExprStruct, Member};

use crate::settings::{Variable, variables};
use crate::source::{
    Calls, Function, Named, SourceFile, Sources, faults_of_fields, last_name, last_word,
};

/// An operation of AWS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// As the SDK names it: `dynamodb`.
    pub service: String,
    /// `PutItem`.
    pub name: String,
    /// The index it asks, of a table.
    pub index: Option<String>,
}

/// What an operation is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The log files that notifications name.
    LogFiles,
    /// The objects of the trail's bucket, as they are now.
    TrailObjects,
    /// The trail's bucket itself.
    TrailBucket,
    /// All trails.
    Trails,
    /// Nothing in particular: what all resources are to an operation that knows none.
    Everything,
    /// The reports in the bucket that a variable of the environment names.
    Reports(String),
    /// What a variable of the environment names.
    Variable(String),
}

/// What the crate of AWS's clients does.
#[derive(Debug, Clone)]
pub struct ClientCrate {
    /// Each method of a port.
    methods: BTreeMap<String, Method>,
    /// The type that each constructor makes.
    constructors: BTreeMap<String, String>,
}

/// A method of a port.
#[derive(Debug, Clone)]
struct Method {
    of_trait: String,
    /// What it asks for, by the type that implements it.
    operations: BTreeMap<String, BTreeSet<Operation>>,
}

impl ClientCrate {
    /// Reads `crates/ports` and `crates/aws-clients`.
    ///
    /// # Errors
    /// An operation might be overlooked.
    pub fn read(sources: &Sources) -> Result<Self, String> {
        let traits: Vec<(String, Vec<String>)> = sources
            .files("crates/ports/src/lib.rs")
            .iter()
            .flat_map(SourceFile::traits)
            .collect();
        let files = sources.files("crates/aws-clients/src/lib.rs");
        let constants: BTreeMap<String, String> =
            files.iter().flat_map(SourceFile::constants).collect();
        let mut functions = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let service = service(file);
            for function in file.functions() {
                // Clients that no function of ours can have may be written as they like.
                let made = service
                    .clone()
                    .and_then(|service| operations(&function, service.as_deref(), &constants));
                let made = made.map_err(|fault| {
                    format!("{}: {}: {fault}", file.path.display(), function.name)
                });
                functions.push(ClientFunction {
                    file: index,
                    function,
                    made,
                });
            }
        }
        let imports: Vec<Vec<String>> = files.iter().map(SourceFile::imports).collect();

        let mut methods: BTreeMap<String, Method> = BTreeMap::new();
        let mut implementing = BTreeSet::new();
        let mut reached = BTreeSet::new();
        let mut files_of_ports = BTreeSet::new();
        for (index, ClientFunction { file, function, .. }) in functions.iter().enumerate() {
            let Some(of_trait) = &function.of_trait else {
                continue;
            };
            if !traits.iter().any(|(name, _)| name == of_trait) {
                continue;
            }
            files_of_ports.insert(file);
            let reach = reach(&functions, &imports, index);
            let mut operations = BTreeSet::new();
            for called in reach.iter().filter_map(|index| functions.get(*index)) {
                operations.extend(called.made.clone()?);
            }
            reached.extend(reach);
            if operations.is_empty() {
                continue; // The clock.
            }
            let of_type = function.of_type.clone().unwrap_or_default();
            implementing.insert(of_type.clone());
            let method = methods
                .entry(function.name.clone())
                .or_insert_with(|| Method {
                    of_trait: of_trait.clone(),
                    operations: BTreeMap::new(),
                });
            let known = method.operations.insert(of_type, operations);
            if method.of_trait != *of_trait || known.is_some() {
                return Err(format!("two ports have a method `{}`", function.name));
            }
        }
        for (
            index,
            ClientFunction {
                file,
                function,
                made,
            },
        ) in functions.iter().enumerate()
        {
            if files_of_ports.contains(file) && !reached.contains(&index) {
                let made = made.clone()?;
                if !made.is_empty() {
                    let name = &function.name;
                    return Err(format!(
                        "no port leads to `{name}`, which asks for {made:?}"
                    ));
                }
            }
        }

        let constructors = functions
            .iter()
            .map(|found| &found.function)
            .filter(|function| function.of_type.as_deref() == Some("Clients"))
            .filter_map(|function| {
                let made = function.returns.clone()?;
                implementing
                    .contains(&made)
                    .then(|| (function.name.clone(), made))
            });
        Ok(ClientCrate {
            constructors: constructors.collect(),
            methods,
        })
    }
}

/// The service of a file's client; none if the file has no client.
fn service(file: &SourceFile) -> Result<Option<String>, String> {
    if let Some(fault) = faults_of_fields(file).pop() {
        return Err(format!("{}: {fault}", file.path.display()));
    }
    let mut services = Vec::new();
    for item in &file.items {
        if let syn::Item::Use(import) = item
            && let syn::UseTree::Path(path) = &import.tree
            && let Some(service) = path.ident.to_string().strip_prefix("aws_sdk_")
            && imports(&path.tree, "Client")
        {
            services.push(service.to_owned());
        }
    }
    match services.len() {
        0 | 1 => Ok(services.pop()),
        _ => Err(format!(
            "{}: expected the client of one service, found {services:?}",
            file.path.display()
        )),
    }
}

fn imports(tree: &syn::UseTree, name: &str) -> bool {
    match tree {
        syn::UseTree::Name(found) => found.ident == name,
        syn::UseTree::Group(group) => group.items.iter().any(|tree| imports(tree, name)),
        // Under another name it would not be known.
        syn::UseTree::Rename(found) => found.ident == name,
        syn::UseTree::Path(_) => false,
        syn::UseTree::Glob(_) => true,
    }
}

fn operations(
    function: &Function,
    service: Option<&str>,
    constants: &BTreeMap<String, String>,
) -> Result<BTreeSet<Operation>, String> {
    let calls = &function.calls;
    if let Some(fault) = calls.faults.first() {
        return Err(fault.clone());
    }
    if calls.hides_a_client() {
        return Err("a macro hides what a client is asked".to_owned());
    }
    let requests = calls.requests.iter().map(|request| {
        let service = service.ok_or("a client of no known service is asked")?;
        let index = request.index.as_ref();
        Ok(Operation {
            service: service.to_owned(),
            name: pascal_case(&request.method),
            index: index.map(|index| constants.get(index).unwrap_or(index).clone()),
        })
    });
    requests.collect()
}

/// `get_object` as AWS names it: `GetObject`.
fn pascal_case(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

/// A function of the crate of clients, with the operations it asks for itself.
struct ClientFunction {
    /// The index of its file.
    file: usize,
    function: Function,
    made: Result<BTreeSet<Operation>, String>,
}

/// What a function calls in its crate, directly or not, itself included. A method is told by its name, in the
/// same file or of a type that the file imports.
fn reach(functions: &[ClientFunction], imports: &[Vec<String>], from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut pending = vec![from];
    while let Some(index) = pending.pop() {
        let Some(caller) = functions.get(index).filter(|_| reached.insert(index)) else {
            continue;
        };
        let imported = imports.get(caller.file).map_or(&[][..], Vec::as_slice);
        let Calls { methods, paths, .. } = &caller.function.calls;
        let is_called = |called: &ClientFunction| {
            let Function { name, of_type, .. } = &called.function;
            match of_type {
                Some(of_type) => {
                    let is_near = caller.file == called.file || imported.contains(of_type);
                    (is_near && methods.iter().any(|call| call.method == *name))
                        || paths.iter().any(|path| {
                            let within = path.within.as_ref();
                            path.name == *name
                                && within
                                    .is_some_and(|within| within == of_type || within == "Self")
                        })
                }
                None => paths.iter().any(|path| path.name == *name),
            }
        };
        let all = functions.iter().enumerate();
        pending.extend(
            all.filter(|(_, called)| is_called(called))
                .map(|(index, _)| index),
        );
    }
    reached
}

/// What a function asks of AWS, and of what.
///
/// # Errors
/// A call might be overlooked, or what it is done to cannot be told.
pub fn calls(
    sources: &Sources,
    clients: &ClientCrate,
    function: &str,
) -> Result<BTreeSet<(Operation, Target)>, String> {
    let folder = format!("functions/{function}/src");
    let settings = settings(sources, function)?;
    let ports = wiring(sources, clients, function)?;
    let mut found = BTreeSet::new();
    for file in sources.files(format!("{folder}/lib.rs")) {
        let within = |fault: String| format!("{}: {fault}", file.path.display());
        for called in file.functions() {
            for (method, receiver) in port_calls(&called, clients).map_err(within)? {
                let Some(Method { operations, .. }) = clients.methods.get(&method) else {
                    continue;
                };
                let candidates = ports
                    .iter()
                    .filter(|port| operations.contains_key(&port.made));
                let candidates: Vec<&Port> = candidates.collect();
                // Under another name it may be any port of the kind.
                let named = candidates
                    .iter()
                    .filter(|port| Some(&port.field) == receiver.as_ref());
                let mut named: Vec<&Port> = named.copied().collect();
                if named.is_empty() {
                    named = candidates;
                }
                if named.is_empty() {
                    return Err(within(format!(
                        "no port has the method `{method}` that is called"
                    )));
                }
                for port in named {
                    let targets = targets(port, &method, &settings).map_err(within)?;
                    let operations = operations.get(&port.made).into_iter().flatten();
                    for (operation, target) in operations
                        .flat_map(|operation| targets.iter().map(move |target| (operation, target)))
                    {
                        found.insert((operation.clone(), target.clone()));
                    }
                }
            }
        }
    }
    Ok(found)
}

/// The variables of a function's environment.
///
/// # Errors
/// Its `settings.rs` is not written as expected.
pub fn settings(sources: &Sources, function: &str) -> Result<Vec<Variable>, String> {
    let files = sources.files(format!("functions/{function}/src/lib.rs"));
    let file = files.iter().find(|file| file.path.ends_with("settings.rs"));
    let file = file.ok_or_else(|| format!("expected {function} to have a settings.rs"))?;
    variables(file).map_err(|fault| format!("{}: {fault}", file.path.display()))
}

/// The calls of port methods in a function, with the name of what they are called on.
fn port_calls(
    function: &Function,
    clients: &ClientCrate,
) -> Result<Vec<(String, Option<String>)>, String> {
    let calls = &function.calls;
    let names: Vec<&str> = clients.methods.keys().map(String::as_str).collect();
    if calls.hides(&names) {
        return Err(format!(
            "a macro in `{}` hides a call of a port",
            function.name
        ));
    }
    let names_clients = |path: &Named| {
        let words = [Some(&path.name), path.within.as_ref()];
        words
            .into_iter()
            .flatten()
            .any(|word| word == "aws_clients" || word == "Clients")
    };
    if calls.paths.iter().any(names_clients) {
        return Err(format!("`{}` makes a client itself", function.name));
    }
    // `self.publish(...)` is a method of its own; what that one calls is read where it stands.
    let methods = calls.methods.iter();
    let methods = methods.filter(|call| call.receiver.as_deref() != Some("self"));
    let methods = methods.map(|call| (call.method.clone(), call.receiver.clone()));
    // `Items::get_item(table, key)`, or the method passed on; a name alone is a variable or a function.
    let paths = calls.paths.iter().filter(|path| path.within.is_some());
    let paths = paths.map(|path| (path.name.clone(), None));
    Ok(methods
        .chain(paths)
        .filter(|(name, _)| names.contains(&name.as_str()))
        .collect())
}

/// A field of a function's ports.
struct Port {
    field: String,
    /// The type of its client.
    made: String,
    /// The field of the settings that it is made with.
    setting: Option<String>,
}

/// What `main.rs` makes each port of: `table: clients.items(&settings.table)`.
fn wiring(sources: &Sources, clients: &ClientCrate, function: &str) -> Result<Vec<Port>, String> {
    let path = format!("functions/{function}/src/main.rs");
    let mut main = Main::default();
    for file in sources.files(&path) {
        for item in &file.items {
            main.visit_item(item);
        }
    }
    let mut ports = Vec::new();
    for (field, constructor, setting) in &main.ports {
        let made = clients.constructors.get(constructor);
        let made = made.ok_or_else(|| format!("{path}: `{constructor}` makes no port known"))?;
        ports.push(Port {
            field: field.clone(),
            made: made.clone(),
            setting: setting.clone(),
        });
    }
    match main.made == ports.len() && !ports.is_empty() {
        true => Ok(ports),
        false => Err(format!(
            "{path}: expected every client in a field of `Ports`, found {} of {}",
            ports.len(),
            main.made
        )),
    }
}

#[derive(Default)]
struct Main {
    /// Other names of `clients`: `let of_region = clients.clone();`
    aliases: Vec<String>,
    /// Field, constructor, setting.
    ports: Vec<(String, String, Option<String>)>,
    /// How many clients are made.
    made: usize,
}

impl Main {
    fn is_clients(&self, expression: &Expr) -> bool {
        last_name(expression).is_some_and(|name| name == "clients" || self.aliases.contains(&name))
    }
}

impl<'ast> Visit<'ast> for Main {
    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let (syn::Pat::Ident(name), Some(init)) = (&local.pat, &local.init)
            && let Expr::MethodCall(call) = &*init.expr
            && call.method == "clone"
            && self.is_clients(&call.receiver)
        {
            self.aliases.push(name.ident.to_string());
            return;
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        // Which Region it is makes no client.
        if self.is_clients(&call.receiver) && call.method != "region" {
            self.made += 1;
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_struct(&mut self, made: &'ast ExprStruct) {
        if last_word(&made.path).as_deref() == Some("Ports") {
            for field in &made.fields {
                if let (Member::Named(name), Some(call)) = (&field.member, maker(&field.expr))
                    && self.is_clients(&call.receiver)
                {
                    let setting = call.args.first().and_then(last_name);
                    self.ports
                        .push((name.to_string(), call.method.to_string(), setting));
                }
            }
        }
        visit::visit_expr_struct(self, made);
    }
}

/// What makes a client: `clients.objects()`, or `|region| clients.public_keys(region)` for one of many.
fn maker(expression: &Expr) -> Option<&ExprMethodCall> {
    match expression {
        Expr::MethodCall(call) => Some(call),
        Expr::Closure(closure) => maker(&closure.body),
        _ => None,
    }
}

/// What a port's method is done to. A client that is made with a setting has that one target. Of the others
/// it is said with each call:
///
/// | method | target |
/// | --- | --- |
/// | `read_object` | the log files that notifications name |
/// | `stream_object` | objects of the trail's bucket |
/// | `list_objects`, `object_versions` | the trail's bucket |
/// | `put_object` | reports, in the bucket of the setting `report_bucket` |
/// | `trail_status` | all trails |
/// | `describe_trails`, `list_public_keys` | nothing in particular, whatever their Region |
/// | `read_object_if_changed` | the variable that is `s3://bucket/key` |
/// | `publish` | the variables that are ARNs of topics |
fn targets(port: &Port, method: &str, settings: &[Variable]) -> Result<Vec<Target>, String> {
    let named = |matches: &dyn Fn(&Variable) -> bool| -> Vec<Target> {
        let found = settings.iter().filter(|variable| matches(variable));
        found
            .map(|variable| Target::Variable(variable.name.clone()))
            .collect()
    };
    let parsed_by = |name: &str, argument: Option<&str>| {
        let parser = (name.to_owned(), argument.map(str::to_owned));
        named(&|variable| variable.parser == parser)
    };
    let targets = match (&port.setting, method) {
        (_, "describe_trails" | "list_public_keys") => vec![Target::Everything],
        (_, "trail_status") => vec![Target::Trails],
        (Some(setting), _) => named(&|variable| variable.field == *setting),
        (None, "read_object") => vec![Target::LogFiles],
        (None, "stream_object") => vec![Target::TrailObjects],
        (None, "list_objects" | "object_versions") => vec![Target::TrailBucket],
        (None, "put_object") => {
            let buckets = settings.iter().filter(|one| one.field == "report_bucket");
            buckets
                .map(|bucket| Target::Reports(bucket.name.clone()))
                .collect()
        }
        (None, "read_object_if_changed") => parsed_by("s3_location", None),
        (None, "publish") => parsed_by("arn", Some("sns")),
        (None, _) => Vec::new(),
    };
    match targets.is_empty() {
        true => Err(format!("cannot tell what `{method}` is done to")),
        false => Ok(targets),
    }
}
