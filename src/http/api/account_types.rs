//! What is asked of an account on the wire: passwords, addresses, the tokens of links.

use poem_openapi::Object;

use super::types::Delivery;
use crate::domain::account::Email;
use crate::domain::password::{Password, PasswordRules};
use crate::http::problem::{FieldError, Problem};

/// Another password for the account.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase")]
pub(super) struct PasswordChange {
    /// The current password.
    #[oai(validator(max_length = 1024))]
    pub(super) current_password: String,
    /// The new one, by the rules for new accounts.
    #[oai(validator(max_length = 1024))]
    pub(super) new_password: String,
}

impl PasswordChange {
    /// The current and the new password.
    pub(super) fn parse(&self, rules: PasswordRules) -> Result<(Password, Password), Problem> {
        let current = Password::present(&self.current_password);
        let new = Password::choose(&self.new_password, rules);
        let error = |field: &str, message| FieldError { field: field.to_owned(), message };
        match (current, new) {
            (Ok(current), Ok(new)) => Ok((current, new)),
            (current, new) => {
                let current = current.err().map(|e| error("/currentPassword", e.to_string()));
                let new = new.err().map(|e| error("/newPassword", e.to_string()));
                Err(Problem::fields(current.into_iter().chain(new).collect()))
            }
        }
    }
}

/// The caller's password, asked for once more.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
pub(super) struct CurrentPassword {
    /// The password.
    #[oai(validator(max_length = 1024))]
    pub(super) password: String,
}

impl CurrentPassword {
    /// The password.
    pub(super) fn parse(&self) -> Result<Password, Problem> {
        Password::present(&self.password).map_err(|error| field("/password", &error))
    }
}

/// An e-mail address.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
pub(super) struct EmailAddress {
    /// The e-mail address; case does not matter.
    #[oai(validator(max_length = 254))]
    pub(super) email: String,
}

impl EmailAddress {
    /// The address.
    pub(super) fn parse(&self) -> Result<Email, Problem> {
        Email::parse(&self.email).map_err(|error| field("/email", &error))
    }
}

/// What a link in a mail holds.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
pub(super) struct OneTimeToken {
    /// The `token` of the link.
    #[oai(validator(max_length = 128))]
    pub(super) token: String,
}

/// Another password, by a link.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase")]
pub(super) struct PasswordReset {
    /// The `token` of the link.
    #[oai(validator(max_length = 128))]
    pub(super) token: String,
    /// The new password, by the rules for new accounts.
    #[oai(validator(max_length = 1024))]
    pub(super) new_password: String,
}

impl PasswordReset {
    /// The new password.
    pub(super) fn parse(&self, rules: PasswordRules) -> Result<Password, Problem> {
        Password::choose(&self.new_password, rules).map_err(|error| field("/newPassword", &error))
    }
}

/// A password for the account that somebody was invited to.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
pub(super) struct Acceptance {
    /// The `token` of the link.
    #[oai(validator(max_length = 128))]
    pub(super) token: String,
    /// The password, by the rules for new accounts.
    #[oai(validator(max_length = 1024))]
    pub(super) password: String,
    /// Where the tokens are wanted; `cookie` when left out.
    #[oai(skip_serializing_if_is_none)]
    pub(super) delivery: Option<Delivery>,
    /// As at `login`.
    #[oai(skip_serializing_if_is_none)]
    pub(super) remember: Option<bool>,
}

impl Acceptance {
    /// The password.
    pub(super) fn parse(&self, rules: PasswordRules) -> Result<Password, Problem> {
        Password::choose(&self.password, rules).map_err(|error| field("/password", &error))
    }
}

/// Another e-mail address for the account.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase")]
pub(super) struct EmailChange {
    /// The new address.
    #[oai(validator(max_length = 254))]
    pub(super) new_email: String,
    /// The current password.
    #[oai(validator(max_length = 1024))]
    pub(super) password: String,
}

impl EmailChange {
    /// The address and the password.
    pub(super) fn parse(&self) -> Result<(Email, Password), Problem> {
        let email = Email::parse(&self.new_email).map_err(|error| field("/newEmail", &error))?;
        let password = Password::present(&self.password);
        Ok((email, password.map_err(|error| field("/password", &error))?))
    }
}

/// A field that is not as it must be.
pub(super) fn field(pointer: &str, error: &impl ToString) -> Problem {
    Problem::fields(vec![FieldError { field: pointer.to_owned(), message: error.to_string() }])
}
