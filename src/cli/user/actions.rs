//! What `doorward user` does, and says about it.

use std::io::{self, Write as _};

use crate::cli::data::Data;
use crate::cli::failure::Failure;
use crate::cli::keys;
use crate::cli::output::{self, count, or_dash};
use crate::cli::password::PasswordSource;
use crate::cli::views::UserView;
use crate::config::Registration;
use crate::domain::account::{Email, User};
use crate::domain::claims::Role;
use crate::flows::accounts::{self, Changed, NewAccount, UserRef};
use crate::mail::pages;
use crate::store::{Page, UserFilter};

pub(super) async fn add(data: &Data, account: NewAccount) -> Result<String, Failure> {
    let email = account.email.clone();
    let hasher = data.hasher()?;
    match accounts::add_user(&data.store, &hasher, &data.clock, &data.entropy, account).await? {
        Some(user) => Ok(format!("{email} is added as {}, id {}\n", user.role.as_str(), user.id)),
        None => Err(not_free(data, &email).await),
    }
}

pub(super) async fn invite(
    data: &Data,
    email: Email,
    role: Role,
    print_link: bool,
) -> Result<String, Failure> {
    if data.config.registration == Registration::Closed {
        return Err(Failure::failed(
            "registration is closed, so that no link makes an account: set registration to \
             \"invite\" (or \"open\"); `doorward user add` makes an account at once",
        ));
    }
    // Before anything is written: without the keys there is no link to print.
    let keys = print_link.then(|| keys::load(&data.config)).transpose()?;
    let invited =
        accounts::invite(&data.store, &data.clock, &data.entropy, email.clone(), role, !print_link);
    let Some(invitation) = invited.await? else { return Err(not_free(data, &email).await) };
    let Some(keys) = keys else {
        let (role, until) = (role.as_str(), invitation.expires_at);
        return Ok(format!("{email} is invited as {role}; the link is good until {until}\n"));
    };
    let token = keys.active().one_time_token(invitation.id);
    let base = data.config.mail_link_base(data.config.listen);
    Ok(format!("{base}{}?token={}\n", pages::ACCEPT_INVITATION, *token))
}

/// Fails when the address belongs to an account.
pub(super) async fn is_free(data: &Data, email: &Email) -> Result<(), Failure> {
    match data.store.find_account_by_email(email.clone()).await? {
        Some(_) => Err(taken(email)),
        None => Ok(()),
    }
}

fn taken(email: &Email) -> Failure {
    Failure::failed(format!("{email} has an account already"))
}

/// What it means that an address was refused: no user with it is listed when it is only kept for one.
async fn not_free(data: &Data, email: &Email) -> Failure {
    is_free(data, email).await.err().unwrap_or_else(|| {
        Failure::failed(format!(
            "{email} was the address of an account until lately, and is kept for it as long as the \
             change can be undone: a week"
        ))
    })
}

pub(super) async fn list(
    data: &Data,
    filter: UserFilter,
    limit: u32,
    json: bool,
) -> Result<String, Failure> {
    let nobody = if filter == UserFilter::default() { "no users yet" } else { "no such users" };
    let Page { items: users, next } = data.store.find_users(filter, None, limit).await?;
    if next.is_some() {
        output::complain(&format!(
            "there are more than these {limit}: narrow it down, or ask for more with --limit"
        ));
    }
    if json {
        return output::json(&users.iter().map(UserView::from).collect::<Vec<_>>());
    }
    if users.is_empty() {
        return Ok(format!("There are {nobody}.\n"));
    }
    let rows = users.iter().map(|user| {
        let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
        [
            user.email.to_string(),
            user.role.as_str().to_owned(),
            yes_or_no(user.is_verified),
            state.to_owned(),
            user.created_at.to_string(),
        ]
    });
    let headings = ["E-mail", "Role", "Verified", "State", "Created"];
    Ok(output::table(headings, rows))
}

pub(super) async fn show(data: &Data, user: &UserRef, json: bool) -> Result<String, Failure> {
    let user = find(data, user).await?;
    if json {
        return output::json(&UserView::from(&user));
    }
    let sessions = accounts::list_sessions(&data.store, &data.clock, Some(user.id)).await?;
    let rows = [
        ("Id", user.id.to_string()),
        ("Role", user.role.as_str().to_owned()),
        ("Verified", yes_or_no(user.is_verified)),
        ("Disabled since", or_dash(user.disabled_at)),
        ("Created", user.created_at.to_string()),
        ("Updated", user.updated_at.to_string()),
        ("Signed in on", count(sessions.len(), "device")),
    ];
    let rows = rows.map(|(name, value)| [name.to_owned(), value]);
    Ok(output::table(["E-mail", user.email.as_str()], rows))
}

pub(super) async fn set_role(data: &Data, who: &UserRef, role: Role) -> Result<String, Failure> {
    let role_name = role.as_str();
    match accounts::set_role(&data.store, &data.clock, who, role).await? {
        Changed::Done(user) => Ok(format!("{} is now {role_name}\n", user.email)),
        Changed::Already(user) => Ok(format!("{} is {role_name} already\n", user.email)),
        Changed::NoSuchUser => Err(unknown(who)),
        Changed::LastAdmin => Err(last_admin(who)),
    }
}

pub(super) async fn set_verified(
    data: &Data,
    who: &UserRef,
    is_verified: bool,
) -> Result<String, Failure> {
    let state = if is_verified { "verified" } else { "not verified" };
    match accounts::set_verified(&data.store, &data.clock, who, is_verified).await? {
        Changed::Done(user) => Ok(format!("{} is now {state}\n", user.email)),
        Changed::Already(user) => Ok(format!("{} is {state} already\n", user.email)),
        Changed::NoSuchUser => Err(unknown(who)),
        Changed::LastAdmin => Err(last_admin(who)),
    }
}

pub(super) async fn disable(data: &Data, who: &UserRef) -> Result<String, Failure> {
    match accounts::disable(&data.store, &data.clock, who).await? {
        Changed::Done(user) => {
            Ok(format!("{} is now disabled and signed out everywhere\n", user.email))
        }
        Changed::Already(user) => Ok(format!("{} is disabled already\n", user.email)),
        Changed::NoSuchUser => Err(unknown(who)),
        Changed::LastAdmin => Err(last_admin(who)),
    }
}

pub(super) async fn enable(data: &Data, who: &UserRef) -> Result<String, Failure> {
    match accounts::enable(&data.store, &data.clock, who).await? {
        Changed::Done(user) => Ok(format!("{} is now enabled\n", user.email)),
        Changed::Already(user) => Ok(format!("{} is enabled already\n", user.email)),
        Changed::NoSuchUser => Err(unknown(who)),
        Changed::LastAdmin => Err(last_admin(who)),
    }
}

pub(super) async fn set_password(
    data: &Data,
    who: &UserRef,
    source: &PasswordSource,
) -> Result<String, Failure> {
    // First, so that nobody types a password for a mistyped address.
    let user = find(data, who).await?;
    let password = source.choose(user.email.as_str(), data.config.password_rules())?;
    let hasher = data.hasher()?;
    let (clock, entropy) = (&data.clock, &data.entropy);
    match accounts::set_password(&data.store, &hasher, clock, entropy, who, password).await? {
        Changed::NoSuchUser => Err(unknown(who)),
        Changed::LastAdmin => Err(last_admin(who)),
        Changed::Done(user) | Changed::Already(user) => {
            Ok(format!("{} has a new password and is signed out everywhere\n", user.email))
        }
    }
}

pub(super) async fn delete(data: &Data, who: &UserRef, yes: bool) -> Result<String, Failure> {
    let user = find(data, who).await?;
    if !yes && !confirmed(&format!("Delete {} for good? [y/N] ", user.email))? {
        return Err(Failure::failed("nothing was deleted"));
    }
    // By id: this very account is what was asked about.
    match accounts::delete(&data.store, &data.clock, &UserRef::Id(user.id)).await? {
        Changed::NoSuchUser => Err(unknown(who)),
        Changed::LastAdmin => Err(last_admin(who)),
        Changed::Done(user) | Changed::Already(user) => Ok(format!("{} is deleted\n", user.email)),
    }
}

/// The user, or the failure that there is none.
pub(in crate::cli) async fn find(data: &Data, user: &UserRef) -> Result<User, Failure> {
    accounts::find_user(&data.store, user).await?.ok_or_else(|| unknown(user))
}

fn unknown(user: &UserRef) -> Failure {
    Failure::failed(match user {
        UserRef::Email(email) => format!("no user has the e-mail address {email}"),
        UserRef::Id(id) => format!("no user has the id {id}"),
    })
}

fn last_admin(user: &UserRef) -> Failure {
    Failure::failed(format!(
        "{user} is the last administrator who can sign in; make somebody else one first: \
         doorward user set-role EMAIL admin"
    ))
}

fn confirmed(question: &str) -> Result<bool, Failure> {
    let ask = || -> io::Result<String> {
        let mut answer = String::new();
        write!(io::stderr(), "{question}")?;
        io::stdin().read_line(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| Failure::failed(format!("cannot ask: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
