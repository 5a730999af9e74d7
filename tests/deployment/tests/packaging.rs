//! The binaries of the functions are for the machine that the template says.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use deployment::elf::{self, ElfError, Machine};
use deployment::repository;
use deployment::template::{Template, translate, written};
use serde_json::Value;

/// A function of a template: its logical id, its binary and the machine it runs on.
#[derive(Debug)]
struct Packaged {
    logical_id: String,
    binary: PathBuf,
    machine: Machine,
}

/// The functions of a SAM template. Where the code is, the file itself says; the machine, what CloudFormation
/// makes of it.
fn packaged(template: &Path) -> Vec<Packaged> {
    let translated = translate(template);
    let written = written(template);
    let functions = translated.resources("AWS::Lambda::Function");
    functions
        .map(|(logical_id, function)| {
            let folder = &written["Resources"][logical_id]["Properties"]["CodeUri"];
            let architectures = &function["Properties"]["Architectures"];
            let architectures = architectures.as_array().map_or(&[][..], Vec::as_slice);
            let [Value::String(architecture)] = architectures else {
                panic!("{logical_id}: expected one architecture, got {architectures:?}");
            };
            Packaged {
                logical_id: logical_id.to_owned(),
                binary: template
                    .with_file_name(folder.as_str().unwrap())
                    .join("bootstrap"),
                machine: Machine::of_architecture(architecture).unwrap(),
            }
        })
        .collect()
}

/// What is wrong with the binaries that are there.
fn wrong(template: &Path) -> Vec<String> {
    let built = packaged(template).into_iter();
    let built = built.filter(|function| function.binary.exists());
    let wrong = built.filter_map(|function| {
        let error = elf::check(&function.binary, function.machine).err()?;
        Some(format!("{}: {error}", function.logical_id))
    });
    wrong.collect()
}

#[test]
fn each_function_that_is_built_is_for_the_machine_of_the_template() {
    let template = repository().join("template.yaml");
    let functions = packaged(&template);
    assert_eq!(functions.len(), 3);
    for Packaged {
        logical_id, binary, ..
    } in &functions
    {
        // `infra/package.sh` writes it there.
        let package = deployment::grants::package(logical_id);
        let expected = repository().join(format!("target/lambda-arm64/{package}/bootstrap"));
        assert_eq!(*binary, expected, "{logical_id}");
    }
    // Of a build that was broken off there may be one.
    let built = functions.iter().filter(|function| function.binary.exists());
    let built: Vec<&str> = built.map(|function| function.logical_id.as_str()).collect();
    assert!([0, 3].contains(&built.len()), "only {built:?} is built");
    assert_eq!(wrong(&template), Vec::<String>::new());
}

#[test]
fn for_x86_64_nothing_but_paths_and_architecture_is_another() {
    let output = Command::new("sed")
        .current_dir(repository())
        .args(["-f", "infra/x86_64.sed", "template.yaml"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("arm64"));
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template-x86_64.yaml");
    fs::write(&template, &text).unwrap();
    let functions = packaged(&template);
    assert_eq!(functions.len(), 3);
    for function in &functions {
        assert_eq!(function.machine, Machine::X86_64);
        let package = deployment::grants::package(&function.logical_id);
        // Beside the template, as in `target`, where `infra/package.sh` writes both.
        let expected = format!("lambda-x86_64/{package}/bootstrap");
        assert_eq!(function.binary, folder.path().join(expected));
    }
    let original = fs::read_to_string(repository().join("template.yaml")).unwrap();
    let changed = original.lines().zip(text.lines());
    let changed = changed.filter(|(before, after)| before != after).count();
    assert_eq!(original.lines().count(), text.lines().count());
    assert_eq!(changed, functions.len() + 1);
}

#[test]
fn the_functions_are_what_lambda_runs() {
    for (logical_id, function) in Template::translated().resources("AWS::Lambda::Function") {
        let properties = &function["Properties"];
        assert_eq!(properties["Runtime"], "provided.al2023", "{logical_id}");
        assert_eq!(properties["Handler"], "bootstrap", "{logical_id}");
    }
}

/// `template.yaml` for an architecture in a folder, with the functions of this machine's debug build.
fn with_binaries_of_this_machine(architecture: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.yaml");
    let text = fs::read_to_string(repository().join("template.yaml")).unwrap();
    let named = "Architectures: [arm64]";
    assert!(text.contains(named));
    let text = text.replace(named, &format!("Architectures: [{architecture}]"));
    fs::write(&template, text).unwrap();
    let binaries = harness::binaries();
    for (package, built) in [
        ("log-processor", &binaries.log_processor),
        ("alarm-notifier", &binaries.alarm_notifier),
        ("digest-validator", &binaries.digest_validator),
    ] {
        let place = folder.path().join("target/lambda-arm64").join(package);
        fs::create_dir_all(&place).unwrap();
        fs::copy(built, place.join("bootstrap")).unwrap();
    }
    (folder, template)
}

#[test]
fn a_build_for_another_machine_is_found() {
    let (this, other) = match std::env::consts::ARCH {
        "x86_64" => ("x86_64", "arm64"),
        "aarch64" => ("arm64", "x86_64"),
        other => panic!("expected a machine that Lambda has, this is {other}"),
    };
    let (_folder, template) = with_binaries_of_this_machine(this);
    let functions = packaged(&template);
    assert!(functions.iter().all(|function| function.binary.exists()));
    assert_eq!(wrong(&template), Vec::<String>::new());

    let (_folder, template) = with_binaries_of_this_machine(other);
    let said =
        |function: &str| format!("{function}: expected a binary for {other}, found one for {this}");
    let mut found = wrong(&template);
    found.sort();
    assert_eq!(
        found,
        [
            said("AlarmNotifier"),
            said("DigestValidator"),
            said("LogProcessor")
        ]
    );
}

#[test]
fn a_file_that_is_no_binary_or_not_there_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bootstrap");
    let error = elf::check(&path, Machine::Aarch64).unwrap_err();
    assert!(matches!(error, ElfError::Read { .. }), "{error}");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    let error = elf::check(&path, Machine::Aarch64).unwrap_err();
    assert!(matches!(error, ElfError::NotElf { .. }), "{error}");
}
