//! For which machine a binary is: the header of an ELF file.
//!
//! Source: System V Application Binary Interface, chapter 4, "ELF Header"; the machines' numbers from its
//! supplements for AMD64 and AArch64.

use std::path::{Path, PathBuf};

/// The machines Lambda has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// x86_64.
    X86_64,
    /// arm64.
    Aarch64,
}

/// Why a binary cannot run where it is to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is no ELF file.
    #[error("expected an ELF file, which begins with 7f 45 4c 46, found {found:02x?}")]
    NotElf {
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// It is an ELF file of another form than Lambda's.
    #[error("expected {expected}, found {found:#x}")]
    Form {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: u16,
    },
    /// It ends before the machine is told.
    #[error("expected an ELF header of 20 bytes or more, found {found}")]
    TooShort {
        /// How many bytes it has.
        found: usize,
    },
    /// It is for another machine.
    #[error("expected a binary for {expected}, found one for {found}")]
    Machine {
        /// The machine it is to run on.
        expected: Machine,
        /// The machine it is for.
        found: Machine,
    },
}

impl Machine {
    /// The machine that `Architectures` names in a template.
    pub fn of_architecture(name: &str) -> Option<Machine> {
        match name {
            "x86_64" => Some(Machine::X86_64),
            "arm64" => Some(Machine::Aarch64),
            _ => None,
        }
    }

    /// The machine whose number an ELF header has.
    fn of_number(number: u16) -> Result<Machine, ElfError> {
        match number {
            0x3e => Ok(Machine::X86_64),
            0xb7 => Ok(Machine::Aarch64),
            found => Err(ElfError::Form {
                expected: "machine 0x3e (x86_64) or 0xb7 (arm64)",
                found,
            }),
        }
    }

    /// The machine a binary is for, by its first bytes.
    ///
    /// # Errors
    /// They are not the header of an executable for a machine of Lambda's.
    pub fn of(bytes: &[u8]) -> Result<Machine, ElfError> {
        if !bytes.starts_with(b"\x7fELF") {
            let found = bytes.iter().copied().take(4).collect();
            return Err(ElfError::NotElf { found });
        }
        let too_short = || ElfError::TooShort { found: bytes.len() };
        let byte = |at: usize| bytes.get(at).copied().ok_or_else(too_short);
        let number = |at: usize| Ok(u16::from_le_bytes([byte(at)?, byte(at + 1)?]));
        let machine = number(18)?;
        expect("64 bits (class 2)", byte(4)?.into(), &[2])?;
        expect("little endian (data 1)", byte(5)?.into(), &[1])?;
        // 3: position independent, as Rust links by default.
        expect("an executable (type 2 or 3)", number(16)?, &[2, 3])?;
        Machine::of_number(machine)
    }
}

fn expect(expected: &'static str, found: u16, allowed: &[u16]) -> Result<(), ElfError> {
    match allowed.contains(&found) {
        true => Ok(()),
        false => Err(ElfError::Form { expected, found }),
    }
}

/// Says whether a file runs on a machine.
///
/// # Errors
/// It does not, and why.
pub fn check(path: &Path, expected: Machine) -> Result<(), ElfError> {
    let bytes = std::fs::read(path).map_err(|source| ElfError::Read {
        path: path.to_owned(),
        source,
    })?;
    let found = Machine::of(&bytes)?;
    match found == expected {
        true => Ok(()),
        false => Err(ElfError::Machine { expected, found }),
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Machine::X86_64 => "x86_64",
            Machine::Aarch64 => "arm64",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header: class, data, type, machine.
    fn header(class: u8, data: u8, kind: u16, machine: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF".to_vec();
        bytes.extend([class, data, 1]);
        bytes.resize(16, 0);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(machine.to_le_bytes());
        bytes
    }

    fn said(bytes: &[u8]) -> String {
        Machine::of(bytes).unwrap_err().to_string()
    }

    #[test]
    fn the_two_machines_of_lambda_are_told_apart() {
        assert_eq!(
            Machine::of(&header(2, 1, 3, 0x3e)).unwrap(),
            Machine::X86_64
        );
        assert_eq!(
            Machine::of(&header(2, 1, 2, 0xb7)).unwrap(),
            Machine::Aarch64
        );
    }

    #[test]
    fn another_form_is_said_with_what_was_expected() {
        let x86 = header(1, 1, 3, 0x3e);
        assert_eq!(said(&x86), "expected 64 bits (class 2), found 0x1");
        let big = header(2, 2, 3, 0x3e);
        assert_eq!(said(&big), "expected little endian (data 1), found 0x2");
        let object = header(2, 1, 1, 0x3e);
        assert_eq!(
            said(&object),
            "expected an executable (type 2 or 3), found 0x1"
        );
        let riscv = header(2, 1, 3, 0xf3);
        assert_eq!(
            said(&riscv),
            "expected machine 0x3e (x86_64) or 0xb7 (arm64), found 0xf3"
        );
    }

    #[test]
    fn a_file_that_is_no_elf_file_or_too_short_is_said_to_be_so() {
        assert_eq!(
            said(b"#!/bin/sh"),
            "expected an ELF file, which begins with 7f 45 4c 46, found [23, 21, 2f, 62]"
        );
        assert!(said(b"").ends_with("found []"));
        let cut = &header(2, 1, 3, 0x3e)[..19];
        assert_eq!(
            said(cut),
            "expected an ELF header of 20 bytes or more, found 19"
        );
    }
}
