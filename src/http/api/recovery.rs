//! What is done by links in mails.

use poem_openapi::OpenApi;

use super::Tag;
use super::account_types::{EmailAddress, EmailChange, OneTimeToken, PasswordReset};
use super::answers::{Accepted, DoneOk};
use super::auth::message;
use super::refused::{BODY, GUARD, Refused, codes};
use crate::flows::recovery::{self, Visitor};
use crate::http::body::Body;
use crate::http::envelope::Envelope;
use crate::http::guard::{CsrfHeader, Guarded};

pub(in crate::http) struct RecoveryApi;

codes! {
    /// Of what sends a mail.
    Ask = [BODY] + CsrfFailed + TooManyAttempts;
    /// Of what a link does.
    Redeem = [BODY] + CsrfFailed + InvalidToken + TooManyAttempts;
    /// Of what a link does to the address.
    RedeemEmail = [BODY] + CsrfFailed + InvalidToken + EmailTaken + TooManyAttempts;
    /// Of `changeEmail`.
    ChangeEmail = [BODY, GUARD] + CsrfFailed + WrongPassword + TooManyAttempts;
}

#[OpenApi(prefix_path = "/api/auth", tag = "Tag::Account")]
impl RecoveryApi {
    /// Ask for a link to reset the password
    ///
    /// If the address has an account, a mail with a link is sent to it; the link is good for an hour,
    /// once. The answer is the same either way.
    #[oai(path = "/forgot-password", method = "post", operation_id = "forgotPassword")]
    async fn forgot_password(
        &self,
        envelope: Envelope,
        body: Body<EmailAddress>,
    ) -> Result<Accepted, Refused<Ask>> {
        let email = body.0.parse()?;
        recovery::forgot_password(&envelope.web.app, email, visitor(&envelope)).await?;
        Ok(Accepted::Accepted(message("If there is such an account, a mail is on its way")))
    }

    /// Reset the password
    ///
    /// Sets another password, by the token of the link that `forgotPassword` has sent. All sessions
    /// end; nobody is signed in by it.
    #[oai(path = "/reset-password", method = "post", operation_id = "resetPassword")]
    async fn reset_password(
        &self,
        envelope: Envelope,
        body: Body<PasswordReset>,
    ) -> Result<DoneOk, Refused<Redeem>> {
        let app = &envelope.web.app;
        let new = body.0.parse(app.config.password_rules())?;
        recovery::reset_password(app, &body.0.token, new, visitor(&envelope)).await?;
        Ok(DoneOk::Ok(message("Password changed")))
    }

    /// Verify the e-mail address
    ///
    /// By the token of the link that was sent to it. A page that the link leads to has to send this:
    /// following the link alone, as mail scanners do, uses nothing up.
    #[oai(path = "/verify-email", method = "post", operation_id = "verifyEmail")]
    async fn verify_email(
        &self,
        envelope: Envelope,
        body: Body<OneTimeToken>,
    ) -> Result<DoneOk, Refused<Redeem>> {
        recovery::verify_email(&envelope.web.app, &body.0.token, visitor(&envelope)).await?;
        Ok(DoneOk::Ok(message("E-mail address verified")))
    }

    /// Ask for another link to verify the address
    ///
    /// If the address has an account that is not verified, a mail with a link is sent to it; the link
    /// is good for a day, once. The answer is the same either way.
    #[oai(path = "/resend-verification", method = "post", operation_id = "resendVerification")]
    async fn resend_verification(
        &self,
        envelope: Envelope,
        body: Body<EmailAddress>,
    ) -> Result<Accepted, Refused<Ask>> {
        let email = body.0.parse()?;
        recovery::resend_verification(&envelope.web.app, email, visitor(&envelope)).await?;
        Ok(Accepted::Accepted(message("If it is not verified yet, a mail is on its way")))
    }

    /// Ask for another e-mail address
    ///
    /// Asks for the password, and sends a link to the new address; the link is good for an hour, once.
    /// Until it is followed nothing changes.
    #[oai(path = "/change-email", method = "post", operation_id = "changeEmail")]
    async fn change_email(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        body: Body<EmailChange>,
    ) -> Result<Accepted, Refused<ChangeEmail>> {
        let Guarded { caller, envelope } = guarded;
        let (email, password) = body.0.parse()?;
        let (app, visitor) = (&envelope.web.app, visitor(&envelope));
        recovery::request_email_change(app, &caller, password, email, visitor).await?;
        Ok(Accepted::Accepted(message("A mail is on its way to the new address")))
    }

    /// Confirm another e-mail address
    ///
    /// Makes the address that the link was sent to that of the account. The old one is told; if it was
    /// verified, with a link that undoes it for a week, and until then nobody else gets it. Access
    /// tokens with the old address are renewed at their next use. `email_taken` uses no link up.
    #[oai(path = "/confirm-email", method = "post", operation_id = "confirmEmail")]
    async fn confirm_email(
        &self,
        envelope: Envelope,
        body: Body<OneTimeToken>,
    ) -> Result<DoneOk, Refused<RedeemEmail>> {
        recovery::change_email(&envelope.web.app, &body.0.token, visitor(&envelope)).await?;
        Ok(DoneOk::Ok(message("E-mail address changed")))
    }

    /// Undo a change of the e-mail address
    ///
    /// By the link that was sent to the old address: the account has it back, and all sessions end.
    /// Links that undo later changes are void, those of earlier ones are not. Reset the password next.
    #[oai(path = "/undo-email-change", method = "post", operation_id = "undoEmailChange")]
    async fn undo_email_change(
        &self,
        envelope: Envelope,
        body: Body<OneTimeToken>,
    ) -> Result<DoneOk, Refused<RedeemEmail>> {
        recovery::undo_email_change(&envelope.web.app, &body.0.token, visitor(&envelope)).await?;
        Ok(DoneOk::Ok(message("E-mail address restored")))
    }
}

fn visitor(envelope: &Envelope) -> Visitor {
    Visitor { address: envelope.address, client: envelope.client() }
}
