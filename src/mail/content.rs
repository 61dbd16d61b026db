//! What a letter says, for each thing that there is to say. What it looks like is in `render.rs`.

use time::OffsetDateTime;
use time::macros::format_description;

use super::letter::Letterhead;
use crate::domain::device::is_known_device_name;
use crate::domain::id::OneTimeId;
use crate::domain::mail::About;
use crate::domain::time::Timestamp;

/// The pages that links lead to, below `mail_link_base`; Doorward has some. The token is in the query:
/// `?token=…`.
pub mod pages {
    /// Shows that an address is theirs.
    pub const VERIFY_EMAIL: &str = "/account/verify-email";
    /// Asks for another password.
    pub const RESET_PASSWORD: &str = "/account/reset-password";
    /// Makes an account for somebody who was invited.
    pub const ACCEPT_INVITATION: &str = "/account/accept-invitation";
    /// Makes a new address the address of the account.
    pub const CONFIRM_EMAIL: &str = "/account/confirm-email";
    /// Gives the account its old address back.
    pub const UNDO_EMAIL_CHANGE: &str = "/account/undo-email-change";
}

/// A letter, before it is put on paper.
pub(super) struct Content {
    /// Nothing that a user chose is in it.
    pub(super) subject: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// A piece of a letter.
pub(super) enum Block {
    /// A paragraph.
    Text(String),
    /// Something to click on.
    Link { label: &'static str, url: String },
    /// Names and values, one a line.
    Facts(Vec<(&'static str, String)>),
}

/// What is to be said `about` it. `token` gives the token that belongs to an id.
pub(super) fn content(
    about: &About,
    head: &Letterhead,
    token: &dyn Fn(OneTimeId) -> String,
) -> Content {
    let pen = Pen { site: &head.site, home: &head.link_base, token };
    let (subject, blocks) = match about {
        About::VerifyEmail { token } => pen.verify_email(*token),
        About::AlreadyRegistered => pen.already_registered(),
        About::ResetPassword { token } => pen.reset_password(*token),
        About::PasswordChanged => pen.password_changed(),
        About::Invitation { token } => pen.invitation(*token),
        About::ConfirmEmailChange { token } => pen.confirm_email_change(*token),
        About::EmailChanged { to, undo } => pen.email_changed(to, *undo),
        About::NewDevice { device, ip, at } => pen.new_device(device, ip, *at),
        About::RefreshTokenReused { device, ip, at } => pen.refresh_token_reused(device, ip, *at),
        About::AccountDeleted => pen.account_deleted(),
        About::Test => pen.test(),
    };
    Content { subject, blocks }
}

/// The subject, and the rest.
type Said = (&'static str, Vec<Block>);

/// What the texts are written with.
struct Pen<'a> {
    /// How the site is called.
    site: &'a str,
    /// Where it is.
    home: &'a str,
    token: &'a dyn Fn(OneTimeId) -> String,
}

const ONCE: &str = "The link works once, and for a limited time. Nobody who works here will ever ask \
                    you for it.";
const NOT_YOU: &str = "If this was not you, you need not do anything.";
const SOMEBODY_ELSE: &str = "If this was not you, somebody else is using your account.";

fn text(text: impl Into<String>) -> Block {
    Block::Text(text.into())
}

impl Pen<'_> {
    fn link(&self, label: &'static str, page: &str, id: OneTimeId) -> Block {
        Block::Link { label, url: format!("{}{page}?token={}", self.home, (self.token)(id)) }
    }

    fn verify_email(&self, token: OneTimeId) -> Said {
        let why = format!("Somebody, most likely you, has entered this address at {}.", self.site);
        let link = self.link("Confirm the address", pages::VERIFY_EMAIL, token);
        ("Confirm your e-mail address", vec![text(why), link, text(ONCE), text(NOT_YOU)])
    }

    fn already_registered(&self) -> Said {
        let why = format!(
            "Somebody, most likely you, has tried to register at {} with this address, which has an \
             account already. Sign in with the password of that account. If you have forgotten it, \
             you can choose another one there.",
            self.site
        );
        let link = Block::Link { label: "Sign in", url: self.home.to_owned() };
        ("You have an account already", vec![text(why), link, text(NOT_YOU)])
    }

    fn reset_password(&self, token: OneTimeId) -> Said {
        let site = self.site;
        let why = format!("Somebody, most likely you, has asked for another password at {site}.");
        let link = self.link("Choose a password", pages::RESET_PASSWORD, token);
        let not_you = "If this was not you, do not open it: your password stays as it is.";
        ("Choose another password", vec![text(why), link, text(ONCE), text(not_you)])
    }

    fn password_changed(&self) -> Said {
        let (site, home) = (self.site, self.home);
        let what = format!("The password of your account at {site} was changed.");
        let not_you = format!("{SOMEBODY_ELSE} Choose another password at once, at {home}.");
        ("Your password was changed", vec![text(what), text(not_you)])
    }

    fn invitation(&self, token: OneTimeId) -> Said {
        let what = format!("You are invited to make an account at {}.", self.site);
        let link = self.link("Accept the invitation", pages::ACCEPT_INVITATION, token);
        let or_not = "If you do not know what this is about, you need not do anything.";
        ("You are invited", vec![text(what), link, text(ONCE), text(or_not)])
    }

    fn confirm_email_change(&self, token: OneTimeId) -> Said {
        let why = format!(
            "Somebody, most likely you, wants this to be the address of their account at {}.",
            self.site
        );
        let link = self.link("Use this address", pages::CONFIRM_EMAIL, token);
        ("Confirm your new e-mail address", vec![text(why), link, text(ONCE), text(NOT_YOU)])
    }

    fn email_changed(&self, to: &str, undo: OneTimeId) -> Said {
        let what = format!("Your account at {} has another e-mail address now:", self.site);
        let facts = Block::Facts(vec![("New address", shown(to))]);
        let not_you = format!("{SOMEBODY_ELSE} Undo it:");
        let link = self.link("Undo the change", pages::UNDO_EMAIL_CHANGE, undo);
        let blocks = vec![text(what), facts, text(not_you), link, text(ONCE)];
        ("Your e-mail address was changed", blocks)
    }

    fn new_device(&self, device: &str, ip: &str, at: Timestamp) -> Said {
        let what = format!(
            "Your account at {} was used to sign in from a device or place that was not seen before.",
            self.site
        );
        let not_you = format!(
            "If this was not you, somebody else knows your password. Choose another one at once, at \
             {}.",
            self.home
        );
        let facts = place_and_time(device, ip, at);
        ("A sign-in from a new device or place", vec![text(what), facts, text(not_you)])
    }

    fn refresh_token_reused(&self, device: &str, ip: &str, at: Timestamp) -> Said {
        let what = format!(
            "A sign-in to your account at {} was used twice, as if somebody had copied it. It was \
             ended, so that a copy is of no use.",
            self.site
        );
        let what_now = format!(
            "Sign in again at {}. If this happens more than once, look for what does not belong on \
             your device.",
            self.home
        );
        let facts = place_and_time(device, ip, at);
        ("You were signed out, to be safe", vec![text(what), facts, text(what_now)])
    }

    fn account_deleted(&self) -> Said {
        let site = self.site;
        let what =
            format!("Your account at {site} was deleted, and you are signed out everywhere.");
        ("Your account was deleted", vec![text(what)])
    }

    fn test(&self) -> Said {
        let why = format!(
            "The operator of {} is trying whether its mail arrives. It does. There is nothing to do.",
            self.site
        );
        ("A test mail", vec![text(why)])
    }
}

fn place_and_time(device: &str, ip: &str, at: Timestamp) -> Block {
    // Also one that waits since an older version, which took what clients called themselves.
    let device = if is_known_device_name(device) { device } else { "an unknown device" };
    Block::Facts(vec![("Device", device.to_owned()), ("Address", shown(ip)), ("Time", date(at))])
}

/// What somebody else has chosen, cut to what can do no harm in a letter.
fn shown(value: &str) -> String {
    let shown: String = value.chars().filter(|c| !c.is_control()).take(254).collect();
    if shown.is_empty() { "unknown".to_owned() } else { shown }
}

/// Such as `25 November 2026, 23:19 UTC`.
fn date(at: Timestamp) -> String {
    let form =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    OffsetDateTime::from_unix_timestamp(at.as_millis().div_euclid(1000))
        .ok()
        .and_then(|at| at.format(form).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
