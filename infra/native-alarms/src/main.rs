//! Writes `template.yaml` anew, or with `--check` says whether it is as it would be written.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let template = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    match run(&template, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            say(
                "template.yaml differs from the built-in filters; run `cargo run -p native-alarms`",
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// Whether the template is now as the built-in filters want it.
fn run(template: &PathBuf, arguments: &[String]) -> Result<bool, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(template)?;
    let filled = native_alarms::fill(&text)?;
    match arguments {
        [] if filled != text => std::fs::write(template, filled)?,
        [] => {}
        [check] if check == "--check" => return Ok(filled == text),
        _ => return Err("expected no argument, or --check".into()),
    }
    Ok(true)
}

#[expect(clippy::print_stderr, reason = "a command's way to say what is wrong")]
fn say(line: &str) {
    eprintln!("native-alarms: {line}");
}
