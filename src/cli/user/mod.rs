//! `doorward user`: its arguments. What is done with them is in `actions.rs`.

mod actions;

use std::io::{self, IsTerminal as _};

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};

pub(super) use self::actions::find;
use super::data;
use super::failure::Failure;
use super::output;
use super::password::PasswordSource;
use crate::config::Config;
use crate::domain::account::{Email, folded};
use crate::domain::claims::Role;
use crate::flows::accounts::{NewAccount, UserRef};
use crate::store::UserFilter;

const ADD_EXAMPLES: &str = "\
Examples:
  doorward user add ana@example.com --role admin
  doorward user add ci@example.com --verified --password-stdin < password.txt";

const LIST_EXAMPLES: &str = "\
Examples:
  doorward user list --role admin
  doorward user list --unverified --search @example.com --limit 20
  doorward user list --disabled --json";

const SET_PASSWORD_EXAMPLES: &str = "\
Examples:
  doorward user set-password ana@example.com
  pass show ana | doorward user set-password ana@example.com --password-stdin";

const INVITE_EXAMPLES: &str = "\
Examples:
  doorward user invite ben@example.com
  doorward user invite ben@example.com --role admin --print-link";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create an account
    ///
    /// Works also where registration is closed, and before the first start of the server: the
    /// database is made if it is not there.
    #[command(after_long_help = ADD_EXAMPLES)]
    Add {
        /// The e-mail address to sign in with
        #[arg(value_parser = Email::parse)]
        email: Email,
        /// What the user may do
        #[arg(long, default_value = Role::User.as_str(), value_parser = role())]
        role: Role,
        /// The address is known to be theirs
        #[arg(long)]
        verified: bool,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Invite somebody to make an account
    ///
    /// Sends a link, good for a week, that lets them choose a password; a server that is running
    /// delivers it. Works unless registration is closed. Another invitation of the same address
    /// replaces the first.
    #[command(after_long_help = INVITE_EXAMPLES)]
    Invite {
        /// The e-mail address of the account to be
        #[arg(value_parser = Email::parse)]
        email: Email,
        /// What the user will be able to do
        #[arg(long, default_value = Role::User.as_str(), value_parser = role())]
        role: Role,
        /// Print the link instead of sending it; whoever has it makes the account
        #[arg(long)]
        print_link: bool,
    },
    /// List accounts, the newest first
    ///
    /// All of them, or those who are all of what is asked for.
    #[command(after_long_help = LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        which: Which,
        /// How many accounts at most
        #[arg(long, value_name = "N", default_value = "1000", value_parser = output::limit())]
        limit: u32,
        /// Print a JSON array of users
        #[arg(long)]
        json: bool,
    },
    /// Show one account
    Show {
        #[command(flatten)]
        user: Whom,
        /// Print the user as a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a user an administrator, or an ordinary user again
    ///
    /// Access tokens that still say the old role are refused, and refreshed, within a second. The
    /// last administrator who can sign in stays one.
    SetRole {
        #[command(flatten)]
        user: Whom,
        /// What the user may do from now on
        #[arg(value_parser = role())]
        role: Role,
    },
    /// Say whether a user's e-mail address is known to be theirs
    ///
    /// Access tokens that still say otherwise are refused, and refreshed, within a second.
    SetVerified {
        #[command(flatten)]
        user: Whom,
        /// Whether it is
        #[arg(action = clap::ArgAction::Set, value_parser = on_or_off())]
        state: bool,
    },
    /// Give a user another password, and sign them out everywhere
    #[command(after_long_help = SET_PASSWORD_EXAMPLES)]
    SetPassword {
        #[command(flatten)]
        user: Whom,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Sign a user out everywhere and keep them out
    ///
    /// The account stays, and so does its e-mail address: `doorward user enable` undoes this.
    Disable {
        #[command(flatten)]
        user: Whom,
    },
    /// Let a disabled user sign in again
    Enable {
        #[command(flatten)]
        user: Whom,
    },
    /// Delete an account and its sessions, for good
    ///
    /// There is no way back but a backup; `doorward user disable` may be what you want.
    Delete {
        #[command(flatten)]
        user: Whom,
        /// Do not ask; required where there is no terminal to ask on
        #[arg(long)]
        yes: bool,
    },
}

/// Whom a list is about: those who are all of this.
#[derive(clap::Args)]
pub(super) struct Which {
    /// Only users of this role
    #[arg(long, value_parser = role())]
    role: Option<Role>,
    /// Only users who are disabled
    #[arg(long)]
    disabled: bool,
    /// Only users whose e-mail address is not known to be theirs
    #[arg(long)]
    unverified: bool,
    /// Only users with TEXT in their e-mail address; case does not matter
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

impl From<Which> for UserFilter {
    fn from(which: Which) -> Self {
        Self {
            search: which.search.as_deref().map(folded),
            role: which.role,
            is_verified: which.unverified.then_some(false),
            is_disabled: which.disabled.then_some(true),
        }
    }
}

/// The user a command is about.
#[derive(clap::Args)]
pub(super) struct Whom {
    /// The user's e-mail address or id
    #[arg(value_name = "EMAIL|ID")]
    user: UserRef,
}

fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new([Role::User, Role::Admin].map(Role::as_str))
        .try_map(|name| Role::parse(&name).ok_or("no such role"))
}

fn on_or_off() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["on", "off"]).map(|state| state == "on")
}

impl Command {
    pub(in crate::cli) fn run(self, config: Config) -> Result<String, Failure> {
        match self {
            Self::Add { email, role, verified, password } => {
                // First, so that nobody types a password for an address that is taken.
                if data::is_there(&config)? {
                    let config = config.clone();
                    data::existing(config, async |data| actions::is_free(data, &email).await)?;
                }
                let password = password.choose(email.as_str(), config.password_rules())?;
                let account = NewAccount { email, password, role, is_verified: verified };
                data::existing_or_new(config, async |data| actions::add(data, account).await)
            }
            Self::Invite { email, role, print_link } => data::existing(config, async |data| {
                actions::invite(data, email, role, print_link).await
            }),
            Self::List { which, limit, json } => {
                let filter = UserFilter::from(which);
                data::existing(config, async |data| actions::list(data, filter, limit, json).await)
            }
            Self::Show { user: Whom { user }, json } => {
                data::existing(config, async |data| actions::show(data, &user, json).await)
            }
            Self::SetRole { user: Whom { user }, role } => {
                data::existing(config, async |data| actions::set_role(data, &user, role).await)
            }
            Self::SetVerified { user: Whom { user }, state } => {
                data::existing(config, async |data| actions::set_verified(data, &user, state).await)
            }
            Self::SetPassword { user: Whom { user }, password } => {
                data::existing(config, async |data| {
                    actions::set_password(data, &user, &password).await
                })
            }
            Self::Disable { user: Whom { user } } => {
                data::existing(config, async |data| actions::disable(data, &user).await)
            }
            Self::Enable { user: Whom { user } } => {
                data::existing(config, async |data| actions::enable(data, &user).await)
            }
            Self::Delete { yes: false, .. } if !io::stdin().is_terminal() => {
                Err(Failure::usage("no terminal to ask on: confirm with --yes"))
            }
            Self::Delete { user: Whom { user }, yes } => {
                data::existing(config, async |data| actions::delete(data, &user, yes).await)
            }
        }
    }
}
