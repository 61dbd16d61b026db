//! Settings that are one of a few words.

use std::fmt;

use crate::domain::session::ReusePolicy;

/// A closed set of words, as they are written in the file.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// Every word with its meaning, in the order in which errors list them.
    const ALL: &'static [(&'static str, Self)];

    /// The word for this choice.
    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, choice)| *choice == self).map_or("", |(word, _)| word)
    }
}

/// Declares an enum of unit variants, each with its word; the first listing is the only one.
macro_rules! choices {
    ($(
        $(#[$about:meta])*
        $name:ident { $( $(#[$doc:meta])* $variant:ident = $word:literal, )+ }
    )+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$doc])* $variant, )+ }

        impl Choice for $name {
            const ALL: &'static [(&'static str, Self)] = &[$( ($word, Self::$variant), )+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    )+};
}

choices! {
    /// Who may create an account over HTTP.
    Registration {
        /// Anyone.
        #[default]
        Open = "open",
        /// Who was invited, by a link; administrators and the command line invite.
        Invite = "invite",
        /// Nobody; accounts come from administrators and the command line.
        Closed = "closed",
    }

    /// The shape of a log line.
    LogFormat {
        /// For people.
        #[default]
        Text = "text",
        /// One JSON object a line, for collectors.
        Json = "json",
    }

    /// The least severe level that is logged.
    LogLevel {
        /// Failures alone.
        Error = "error",
        /// And what an operator should look at.
        Warn = "warn",
        /// And the normal course of events.
        #[default]
        Info = "info",
        /// And detail for a developer.
        Debug = "debug",
        /// And everything else.
        Trace = "trace",
    }
}

impl Choice for ReusePolicy {
    const ALL: &'static [(&'static str, Self)] =
        &[("user", Self::User), ("session", Self::Session)];
}
