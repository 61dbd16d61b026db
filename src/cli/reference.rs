//! What is generated from the declarations of the arguments: completions and manual pages.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;
use super::failure::Failure;

pub(super) const COMPLETION_EXAMPLES: &str = "\
Examples:
  doorward completions bash > ~/.local/share/bash-completion/completions/doorward
  doorward completions zsh > ~/.zfunc/_doorward
  doorward completions fish > ~/.config/fish/completions/doorward.fish";

/// The completion script of a shell.
pub(super) fn completions(shell: Shell) -> Result<String, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "doorward", &mut script);
    text(script)
}

/// The manual page, or with a directory one page for each command in it.
pub(super) fn man(dir: Option<&Path>) -> Result<String, Failure> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page).map_err(Failure::failed)?;
        return text(page);
    };
    let write = || -> io::Result<()> {
        fs::create_dir_all(dir)?;
        clap_mangen::generate_to(Cli::command(), dir)
    };
    match write() {
        Ok(()) => Ok(format!("the manual pages are in {}\n", dir.display())),
        Err(error) => Err(Failure::failed(format!("cannot write to {}: {error}", dir.display()))),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(Failure::failed)
}
