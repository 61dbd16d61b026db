//! `doorward audit`: what happened to accounts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::data::{self, Data};
use super::failure::Failure;
use super::output::{self, or_dash};
use super::user;
use super::views::EventView;
use crate::config::Config;
use crate::domain::device::device_name;
use crate::domain::id::UserId;
use crate::flows::accounts::UserRef;
use crate::store::{Detail, Event, EventFilter, EventSeq, Recorded};

const LIST_EXAMPLES: &str = "\
Examples:
  doorward audit list --user ana@example.com
  doorward audit list --event sign_in_refused --limit 500
  doorward audit list --event role_changed --json";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List what happened, the latest first
    ///
    /// Sign-ins, refused ones too, reused refresh tokens, devices signed out, and what was done to
    /// accounts and by whom, as far back as `audit_retention` says. What was done at the shell has no
    /// actor. Who is deleted is shown by id.
    #[command(after_long_help = LIST_EXAMPLES)]
    List {
        /// Only what is about this user; one who is deleted is found by id
        #[arg(long, value_name = "EMAIL|ID")]
        user: Option<UserRef>,
        /// Only events of this name
        #[arg(long, value_name = "NAME", value_parser = event(), hide_possible_values = true)]
        event: Option<Event>,
        /// How many events at most
        #[arg(long, value_name = "N", default_value = "50", value_parser = output::limit())]
        limit: u32,
        /// Only what was before the event of this number; a list that has more says which
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        /// Print a JSON array of events
        #[arg(long)]
        json: bool,
    },
}

fn event() -> impl TypedValueParser<Value = Event> {
    PossibleValuesParser::new(Event::ALL.iter().map(|event| event.as_str()))
        .try_map(|name| Event::parse(&name).ok_or("no such event"))
}

impl Command {
    pub(super) fn run(self, config: Config) -> Result<String, Failure> {
        let Self::List { user, event, limit, before, json } = self;
        data::existing(config, async |data| {
            let user = match &user {
                // Whose account is gone is still in the trail.
                Some(UserRef::Id(id)) => Some(*id),
                Some(email) => Some(user::find(data, email).await?.id),
                None => None,
            };
            let filter = EventFilter { user, event };
            list(data, filter, before.map(EventSeq), limit, json).await
        })
    }
}

async fn list(
    data: &Data,
    filter: EventFilter,
    before: Option<EventSeq>,
    limit: u32,
    json: bool,
) -> Result<String, Failure> {
    let page = data.store.list_events(filter, before, limit).await?;
    let emails = emails(data, &page.items).await?;
    let email = |id: Option<UserId>| id.and_then(|id| emails.get(&id)).map(String::as_str);
    if let Some(EventSeq(next)) = page.next {
        output::complain(&format!("there are older ones: --before {next}, or a higher --limit"));
    }
    if json {
        let view = |event| EventView::new(event, email(event.user), email(event.actor));
        return output::json(&page.items.iter().map(view).collect::<Vec<_>>());
    }
    if page.items.is_empty() {
        return Ok("There are no such events.\n".to_owned());
    }
    let who = |id: Option<UserId>| email(id).map_or_else(|| or_dash(id), str::to_owned);
    let rows = page.items.iter().map(|event| {
        [
            event.at.to_string(),
            event.event.clone(),
            who(event.user),
            who(event.actor),
            or_dash(Some(&event.client.ip).filter(|ip| !ip.is_empty())),
            or_dash(Some(device_name(&event.client.user_agent)).filter(|name| !name.is_empty())),
            or_dash(event.detail.map(in_words)),
        ]
    });
    let headings = ["Time", "Event", "User", "Actor", "Address", "Device", "Detail"];
    Ok(output::table(headings, rows))
}

fn in_words(Detail { role, invitation }: Detail) -> String {
    let role = role.map(|role| format!("role {}", role.as_str()));
    let invitation = invitation.map(|id| format!("invitation {id}"));
    role.into_iter().chain(invitation).collect::<Vec<_>>().join(", ")
}

/// The addresses of those who are in it and not deleted.
async fn emails(data: &Data, events: &[Recorded]) -> Result<HashMap<UserId, String>, Failure> {
    let mut emails = HashMap::new();
    for id in events.iter().flat_map(|event| [event.user, event.actor]).flatten() {
        if let Entry::Vacant(unknown) = emails.entry(id) {
            let user = data.store.find_user(id).await?;
            unknown.insert(user.map(|user| user.email.to_string()));
        }
    }
    Ok(emails.into_iter().filter_map(|(id, email)| Some((id, email?))).collect())
}
