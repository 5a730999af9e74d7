//! What a function is told by its environment: read from its `settings.rs`.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{Expr, ExprStruct, Local, Pat};

use crate::source::{SourceFile, last_name, last_word, literal};

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// `TRAILWARDEN_TABLE`.
    pub name: String,
    /// The field of `Settings` that is made of it.
    pub field: String,
    /// Whether the function does not start without it.
    pub is_required: bool,
    /// The function that reads it, and its argument if that is a text: `arn`, `sns`.
    pub parser: (String, Option<String>),
}

/// The variables that a `settings.rs` asks for, but not those that Lambda itself sets.
///
/// # Errors
/// It is not written as expected, so that a variable might be overlooked.
pub fn variables(file: &SourceFile) -> Result<Vec<Variable>, String> {
    let mut reading = Reading::default();
    for item in &file.items {
        reading.visit_item(item);
    }
    if reading.asked != reading.locals.len() {
        return Err(format!(
            "expected each variable as `let x = env.required(\"X\", ...)` or alike, found {} of {}",
            reading.locals.len(),
            reading.asked
        ));
    }
    let mut variables = Vec::new();
    for (local, mut variable) in reading.locals {
        if variable.name.starts_with("AWS_") {
            continue;
        }
        let field = reading.fields.get(&local);
        variable.field = field
            .ok_or_else(|| format!("expected `{local}` in a field of `Settings`"))?
            .clone();
        variables.push(variable);
    }
    Ok(variables)
}

#[derive(Default)]
struct Reading {
    /// Variables by the local that holds them.
    locals: BTreeMap<String, Variable>,
    /// Fields by the first local in them.
    fields: BTreeMap<String, String>,
    /// How often the environment is asked.
    asked: usize,
}

const WAYS: [&str; 3] = ["required", "optional", "or_default"];

impl<'ast> Visit<'ast> for Reading {
    fn visit_local(&mut self, local: &'ast Local) {
        if let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init)
            && let Some(variable) = asked(&init.expr)
        {
            self.locals.insert(name.ident.to_string(), variable);
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if WAYS.iter().any(|way| call.method == way) {
            self.asked += 1;
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_struct(&mut self, made: &'ast ExprStruct) {
        if last_word(&made.path).is_some_and(|name| name == "Settings" || name == "Self") {
            for field in &made.fields {
                let mut names = Names::default();
                names.visit_expr(&field.expr);
                if let (Some(local), syn::Member::Named(field)) =
                    (names.0.into_iter().next(), &field.member)
                {
                    self.fields.insert(local, field.to_string());
                }
            }
        }
        visit::visit_expr_struct(self, made);
    }
}

/// The names in an expression, in their order.
#[derive(Default)]
struct Names(Vec<String>);

impl<'ast> Visit<'ast> for Names {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        self.0.extend(last_word(&path.path));
    }
}

fn asked(expression: &Expr) -> Option<Variable> {
    let Expr::MethodCall(call) = expression else {
        return None;
    };
    let way = WAYS.iter().find(|way| call.method == **way)?;
    let mut arguments = call.args.iter();
    let name = literal(arguments.next()?)?;
    let parser = match arguments.next()? {
        Expr::Call(parser) => (
            last_name(&parser.func)?,
            parser.args.first().and_then(literal),
        ),
        parser => (last_name(parser)?, None),
    };
    Some(Variable {
        name,
        field: String::new(),
        is_required: *way == "required",
        parser,
    })
}
