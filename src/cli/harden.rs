//! What keeps the memory of this process, which holds keys and passwords, from getting out of it.

use std::panic::{self, PanicHookInfo};

use super::output;

/// From here on the process leaves no core dump and cannot be looked into by other programs of its
/// user, and a panic tells where it was but not about what. Before a key or a password is read.
pub(super) fn harden() {
    keep_memory_in();
    panic::set_hook(Box::new(say));
}

/// To the log, where there is one.
fn say(info: &PanicHookInfo<'_>) {
    let place = place(info);
    if tracing::dispatcher::has_been_set() {
        tracing::error!(place, "doorward panicked: please report it");
    } else {
        output::complain(&format!("panicked at {place}: please report it"));
    }
}

/// Where the system does not allow it, Doorward is no worse off than other programs.
fn keep_memory_in() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    // Linux does not ask the limit where cores go to a program, such as systemd-coredump. This also
    // gives memory and environment in /proc to root alone.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Without the message: that of a slice that was cut wrongly, for one, repeats the text.
fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    const CANARY: &str = "hunter2é";

    /// Run by the next one, in a process of its own.
    #[test]
    #[ignore = "panics"]
    fn panics() {
        super::harden();
        let cut = CANARY.len() - 1;
        std::hint::black_box(&CANARY[..cut]);
    }

    #[test]
    fn a_panic_does_not_say_what_it_was_about() {
        let name = "cli::harden::tests::panics";
        let program = std::env::current_exe().unwrap();
        let run = Command::new(program)
            .args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .output()
            .unwrap();
        assert!(!run.status.success());
        let said = [run.stdout, run.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(said.contains("doorward: panicked at src/cli/harden.rs:"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
