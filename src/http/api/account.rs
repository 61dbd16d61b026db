//! The caller's account: its password, its end.

use poem_openapi::OpenApi;
use poem_openapi::payload::Json;

use super::Tag;
use super::account_types::{CurrentPassword, PasswordChange};
use super::answers::{ChangePasswordOk, DeleteAccountOk};
use super::auth::signed_in;
use super::refused::{BODY, GUARD, Refused, codes};
use super::types::Delivery;
use crate::flows::{self, login::Visitor};
use crate::http::body::Body;
use crate::http::guard::{CsrfHeader, Guarded};

pub(in crate::http) struct AccountApi;

codes! {
    /// Of `changePassword`.
    ChangePassword = [BODY, GUARD] + CsrfFailed + WrongPassword + TooManyAttempts;
    /// Of `deleteAccount`.
    DeleteAccount = [BODY, GUARD] + CsrfFailed + WrongPassword + LastAdmin + TooManyAttempts;
}

#[OpenApi(prefix_path = "/api/auth", tag = "Tag::Account")]
impl AccountApi {
    /// Change the password
    ///
    /// Asks for the current one. All of the caller's sessions end, and another one is started on this
    /// device: its tokens go the way the caller's came, as cookies or in the answer.
    #[oai(path = "/password", method = "post", operation_id = "changePassword")]
    async fn change_password(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        body: Body<PasswordChange>,
    ) -> Result<ChangePasswordOk, Refused<ChangePassword>> {
        let Guarded { caller, envelope } = guarded;
        let app = &envelope.web.app;
        let (current, new) = body.0.parse(app.config.password_rules())?;
        let cookie = envelope.lenient_credentials().refresh;
        let visitor = Visitor {
            address: envelope.address,
            client: envelope.client(),
            replaces: None,
            remember: cookie.is_none_or(|token| flows::refresh::is_remembered(app, token)),
        };
        let issued = flows::password::change(app, &caller, current, new, visitor).await?;
        let delivery = if caller.by_cookie { Delivery::Cookie } else { Delivery::Body };
        Ok(ChangePasswordOk::Ok(Json(signed_in(&envelope, &issued, delivery, "Password changed"))))
    }

    /// Delete the account
    ///
    /// Asks for the password. The account, its sessions and all that belongs to it are deleted at once
    /// and for good; events of the audit trail stay for as long as they are kept.
    #[oai(path = "/delete-account", method = "post", operation_id = "deleteAccount")]
    async fn delete_account(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        body: Body<CurrentPassword>,
    ) -> Result<DeleteAccountOk, Refused<DeleteAccount>> {
        let Guarded { caller, envelope } = guarded;
        let password = body.0.parse()?;
        let (address, client) = (envelope.address, envelope.client());
        flows::password::delete_account(&envelope.web.app, &caller, password, address, client)
            .await?;
        if caller.by_cookie {
            envelope.clear_cookies();
        }
        Ok(DeleteAccountOk::NoContent)
    }
}
