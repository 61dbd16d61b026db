//! Asking for a password. It never comes from an argument: others on the machine can read those,
//! and the shell remembers them.

use std::io::{self, IsTerminal as _};

use clap::Args;
use zeroize::Zeroizing;

use super::failure::Failure;
use crate::domain::password::{Password, PasswordRules};

/// Room for the longest password, so that reading it leaves no outgrown buffers behind.
const ROOM: usize = 4 * Password::MAX_CHARS + 2;

/// Where the password comes from.
#[derive(Args)]
pub(super) struct PasswordSource {
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// A new password for `whose`, by the rules.
    pub(super) fn choose(&self, whose: &str, rules: PasswordRules) -> Result<Password, Failure> {
        let accept = |text: &str| {
            Password::choose(text, rules)
                .map_err(|error| Failure::usage(format!("the password {error}")))
        };
        if self.password_stdin {
            return accept(&first_line()?);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "no terminal to ask for a password on: give it with --password-stdin",
            ));
        }
        let password = ask(&format!("New password for {whose}: "))?;
        // Before it is asked for again: nobody likes to type a refused password twice.
        let accepted = accept(&password)?;
        if *ask("Once more: ")? == *password {
            Ok(accepted)
        } else {
            Err(Failure::usage("the two passwords differ: nothing was changed"))
        }
    }
}

fn first_line() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::with_capacity(ROOM));
    io::stdin().read_line(&mut line).map_err(|error| {
        Failure::usage(format!("cannot read the password from standard input: {error}"))
    })?;
    let end = line.trim_end_matches('\n').trim_end_matches('\r').len();
    line.truncate(end);
    if line.is_empty() {
        return Err(Failure::usage("no password on standard input: its first line is empty"));
    }
    Ok(line)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| Failure::failed(format!("cannot ask for a password: {error}")))
}
