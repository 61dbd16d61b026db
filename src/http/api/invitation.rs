//! Making an account by an invitation.

use poem_openapi::OpenApi;
use poem_openapi::payload::Json;

use super::Tag;
use super::account_types::Acceptance;
use super::answers::AcceptInvitationOk;
use super::auth::{signed_in, visitor};
use super::refused::{BODY, Refused, codes};
use crate::flows::invitations;
use crate::http::body::Body;
use crate::http::envelope::Envelope;

pub(in crate::http) struct InvitationApi;

codes! {
    /// Of `acceptInvitation`.
    AcceptInvitation = [BODY] + CsrfFailed + RegistrationClosed + InvalidToken + EmailTaken
        + TooManyAttempts;
}

#[OpenApi(prefix_path = "/api/auth", tag = "Tag::Auth")]
impl InvitationApi {
    /// Accept an invitation
    ///
    /// Makes the account that the caller was invited to, by the token of the link, with the address
    /// and the role of the invitation, and signs it in on this device, as `login` does. The address
    /// counts as verified. A page that the link leads to has to send this: following the link alone,
    /// as mail scanners do, uses nothing up.
    #[oai(path = "/accept-invitation", method = "post", operation_id = "acceptInvitation")]
    async fn accept_invitation(
        &self,
        envelope: Envelope,
        body: Body<Acceptance>,
    ) -> Result<AcceptInvitationOk, Refused<AcceptInvitation>> {
        let app = &envelope.web.app;
        let password = body.0.parse(app.config.password_rules())?;
        let delivery = body.0.delivery.unwrap_or_default();
        let visitor = visitor(&envelope, delivery, body.0.remember.unwrap_or(true)).await?;
        let issued = invitations::accept(app, &body.0.token, password, visitor).await?;
        let answer = signed_in(&envelope, &issued, delivery, "Registration successful");
        Ok(AcceptInvitationOk::Created(Json(answer)))
    }
}
