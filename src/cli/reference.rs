//! What is generated from the declarations of the arguments: completions and manual pages.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap::builder::Resettable;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

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
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let Some(dir) = dir else {
        return text(page(root).map_err(Failure::failed)?);
    };
    match fs::create_dir_all(dir).and_then(|()| write_pages(&root, dir)) {
        Ok(()) => Ok(format!("the manual pages are in {}\n", dir.display())),
        Err(error) => Err(Failure::failed(format!("cannot write to {}: {error}", dir.display()))),
    }
}

/// Writes the page of a command, and those of its subcommands.
fn write_pages(command: &clap::Command, dir: &Path) -> io::Result<()> {
    for subcommand in command.get_subcommands() {
        write_pages(subcommand, dir)?;
    }
    let file = Man::new(command.clone()).get_filename();
    fs::write(dir.join(file), page(command.clone())?)
}

/// A manual page. The paragraphs at the end of the help (`Examples: …`) become sections whose
/// lines stay as they are; `clap_mangen` would fill them, as one section `EXTRA`.
fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let last = command.get_after_long_help().or(command.get_after_help());
    let last = last.map(ToString::to_string).unwrap_or_default();
    let command = command.after_help(Resettable::Reset).after_long_help(Resettable::Reset);
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;

    let mut sections = Roff::new();
    for (heading, text) in last.split("\n\n").filter_map(|paragraph| paragraph.split_once(':')) {
        sections.control("SH", [heading.to_uppercase().as_str()]);
        sections.control("nf", []);
        for line in text.trim().lines() {
            sections.text([roman(line.trim())]);
        }
        sections.control("fi", []);
    }
    page.extend(sections.to_roff().into_bytes());
    Ok(page)
}

fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(Failure::failed)
}
