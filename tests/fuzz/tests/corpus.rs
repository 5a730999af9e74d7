//! The inputs that are kept, held once more.

use std::path::Path;

/// Every file of a target's corpus.
fn hold_all(target: &str, hold: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let files = std::fs::read_dir(&folder)
        .expect("a corpus")
        .map(|file| file.unwrap().path());
    let mut held = 0;
    for path in files {
        println!("{}", path.display());
        hold(&std::fs::read(path).unwrap());
        held += 1;
    }
    assert!(held > 0);
}

#[test]
fn blocks() {
    hold_all("blocks", fuzz::blocks::hold);
}

#[test]
fn index() {
    hold_all("index", fuzz::index::hold);
}

#[test]
fn log_file() {
    hold_all("log_file", fuzz::log_file::hold);
}

#[test]
fn patterns() {
    hold_all("patterns", fuzz::patterns::hold);
}

#[test]
fn evaluate() {
    hold_all("evaluate", fuzz::evaluate::hold);
}
