//! `doorward session`.

use std::collections::HashMap;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::data::{self, Data};
use super::failure::Failure;
use super::output::{self, count};
use super::user;
use super::views::SessionView;
use crate::config::Config;
use crate::domain::device::device_name;
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::flows::accounts::{self, Revoke, UserRef};

const REVOKE_EXAMPLES: &str = "\
Examples:
  doorward session revoke 0193a5c2-7d1e-7cc1-b0f3-2f6d1b9c4e11
  doorward session revoke --user ana@example.com
  doorward session revoke --all";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the devices that are signed in, the last used first
    List {
        /// Only this user's
        #[arg(long, value_name = "EMAIL|ID")]
        user: Option<UserRef>,
        /// Print a JSON array of sessions
        #[arg(long)]
        json: bool,
    },
    /// Sign out one device, one user or everybody
    ///
    /// Their tokens are refused by a running server within a second. The accounts stay as they
    /// are: whoever knows a password may sign in again.
    #[command(after_long_help = REVOKE_EXAMPLES)]
    Revoke(Which),
}

/// Exactly one of these.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// The session, as `doorward session list` shows it
    #[arg(value_name = "SESSION_ID", value_parser = session_id)]
    session: Option<SessionId>,
    /// All sessions of this user
    #[arg(long, value_name = "EMAIL|ID")]
    user: Option<UserRef>,
    /// All sessions of everybody
    #[arg(long)]
    all: bool,
}

fn session_id(text: &str) -> Result<SessionId, &'static str> {
    Uuid::parse_str(text)
        .map(SessionId)
        .map_err(|_| "must be a session id, as `doorward session list` shows it")
}

impl Command {
    pub(super) fn run(self, config: Config) -> Result<String, Failure> {
        data::existing(config, async |data| match self {
            Self::List { user, json } => list(data, user.as_ref(), json).await,
            Self::Revoke(which) => revoke(data, which).await,
        })
    }
}

async fn list(data: &Data, user: Option<&UserRef>, json: bool) -> Result<String, Failure> {
    let user = match user {
        Some(user) => Some(user::find(data, user).await?.id),
        None => None,
    };
    let sessions = accounts::list_sessions(&data.store, &data.clock, user).await?;
    let users = data.store.list_users().await?;
    let emails: HashMap<_, _> = users.iter().map(|user| (user.id, user.email.as_str())).collect();
    // An account that was deleted this very moment has no address any more.
    let email = |session: &Session| emails.get(&session.user_id).copied().unwrap_or_default();
    if json {
        let views = sessions.iter().map(|session| SessionView::new(session, email(session)));
        return output::json(&views.collect::<Vec<_>>());
    }
    if sessions.is_empty() {
        return Ok("There are no live sessions.\n".to_owned());
    }
    let row = |session: &Session| {
        [
            session.id.to_string(),
            email(session).to_owned(),
            device_name(&session.client.user_agent),
            session.client.ip.clone(),
            session.last_used_at.to_string(),
        ]
    };
    let headings = ["Session", "E-mail", "Device", "Address", "Last used"];
    Ok(output::table(headings, sessions.iter().map(row)))
}

async fn revoke(data: &Data, Which { session, user, all }: Which) -> Result<String, Failure> {
    if let Some(id) = session {
        return match end(data, Revoke::Session(id)).await? {
            0 => Err(Failure::failed(format!("no open session has the id {id}"))),
            _ => Ok(format!("session {id} is revoked\n")),
        };
    }
    if let Some(user) = user {
        let user = user::find(data, &user).await?;
        let ended = count(end(data, Revoke::User(user.id)).await?, "session");
        return Ok(format!("{ended} of {} revoked\n", user.email));
    }
    if all {
        let ended = count(end(data, Revoke::All).await?, "session");
        return Ok(format!("{ended} of everybody revoked\n"));
    }
    Err(Failure::usage("say which: SESSION_ID, --user or --all"))
}

async fn end(data: &Data, which: Revoke) -> Result<usize, Failure> {
    Ok(accounts::revoke_sessions(&data.store, &data.clock, which).await?)
}
