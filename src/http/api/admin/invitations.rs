//! Invitations: who may make an account by a link.

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use uuid::Uuid;

use super::examples::invitation_id as example_invitation;
use super::types::role;
use crate::domain::account::Email;
use crate::domain::claims;
use crate::domain::id::OneTimeId;
use crate::flows::invitations;
use crate::http::api::Tag;
use crate::http::api::account_types::field;
use crate::http::api::refused::{BODY, GUARD, Refused, codes};
use crate::http::api::types::{Role, Time};
use crate::http::body::Body;
use crate::http::guard::{Admin, CsrfHeader};
use crate::http::problem::Problem;
use crate::http::query::{Asked, Begin, Cursor as _, Limit};
use crate::store;

pub(in crate::http) struct InvitationsApi;

codes! {
    /// Of `listInvitations`.
    ListInvitations = [GUARD] + Forbidden + ValidationFailed;
    /// Of `createInvitation`.
    CreateInvitation = [GUARD, BODY] + CsrfFailed + Forbidden + RegistrationClosed + EmailTaken;
    /// Of `revokeInvitation`.
    RevokeInvitation = [GUARD] + CsrfFailed + Forbidden + NotFound;
}

/// Somebody who may make an account.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct Invitation {
    /// Identifies the invitation (UUIDv7).
    pub(super) id: Uuid,
    /// The e-mail address that the link was sent to, and that the account will have.
    #[oai(validator(max_length = 254))]
    pub(super) email: String,
    /// What the user will be able to do.
    pub(super) role: Role,
    /// The administrator who made it; not there when it was somebody at the shell.
    #[oai(skip_serializing_if_is_none)]
    pub(super) invited_by: Option<Uuid>,
    /// When it was made.
    pub(super) created_at: Time,
    /// Until when the link is good.
    pub(super) expires_at: Time,
}

impl From<&store::Invitation> for Invitation {
    fn from(invitation: &store::Invitation) -> Self {
        Self {
            id: invitation.id.0,
            email: invitation.email.to_string(),
            role: invitation.role.into(),
            invited_by: invitation.invited_by.map(|id| id.0),
            created_at: Time(invitation.created_at),
            expires_at: Time(invitation.expires_at),
        }
    }
}

/// A part of the invitations.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct InvitationList {
    /// The newest first.
    pub(super) invitations: Vec<Invitation>,
    /// Where the next part begins, to be sent as `cursor`; not there at the end.
    #[oai(skip_serializing_if_is_none, validator(max_length = 64))]
    pub(super) next_cursor: Option<String>,
}

/// An invitation to be made.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase")]
pub(super) struct NewInvitation {
    /// The e-mail address to send the link to; case does not matter.
    #[oai(validator(max_length = 254))]
    pub(super) email: String,
    /// What the user will be able to do; `user` when left out.
    #[oai(skip_serializing_if_is_none)]
    pub(super) role: Option<Role>,
}

impl NewInvitation {
    fn parse(&self) -> Result<(Email, claims::Role), Problem> {
        let email = Email::parse(&self.email).map_err(|error| field("/email", &error))?;
        Ok((email, self.role.map_or(claims::Role::User, role)))
    }
}

/// Of `listInvitations`.
#[derive(ApiResponse)]
enum ListInvitationsOk {
    /// A part of the invitations that are good, the newest first.
    #[oai(status = 200)]
    Ok(Json<InvitationList>),
}

/// Of `createInvitation`.
#[derive(ApiResponse)]
enum CreateInvitationOk {
    /// The link is on its way.
    #[oai(status = 201)]
    Created(Json<Invitation>),
}

/// Of `revokeInvitation`.
#[derive(ApiResponse)]
enum RevokeInvitationOk {
    /// The link is good for nothing.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(prefix_path = "/api/admin/invitations", tag = "Tag::Administration")]
impl InvitationsApi {
    /// List the invitations
    ///
    /// Those that can still be accepted, the newest first. A page that is not the last has a
    /// `nextCursor`.
    #[oai(path = "/", method = "get", operation_id = "listInvitations")]
    async fn list_invitations(
        &self,
        admin: Admin,
        /// How many invitations at most.
        limit: Asked<Limit>,
        /// The `nextCursor` of the page before.
        cursor: Asked<Begin<OneTimeId>>,
    ) -> Result<ListInvitationsOk, Refused<ListInvitations>> {
        let before = cursor.0.map(|cursor| cursor.0);
        let page = invitations::list(admin.app(), before, Limit::of(&limit)).await?;
        Ok(ListInvitationsOk::Ok(Json(InvitationList {
            next_cursor: page.next.map(|id| id.to_text()),
            invitations: page.items.iter().map(Invitation::from).collect(),
        })))
    }

    /// Invite somebody
    ///
    /// Sends a link to the address; who follows it chooses a password and has an account with this
    /// address and this role. The link is good for a week, once, and only as long as whoever made it is
    /// an administrator. Another invitation of the same address replaces the first. By cookie it needs
    /// the `X-CSRF-Token` header.
    #[oai(path = "/", method = "post", operation_id = "createInvitation")]
    async fn create_invitation(
        &self,
        admin: Admin,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        body: Body<NewInvitation>,
    ) -> Result<CreateInvitationOk, Refused<CreateInvitation>> {
        let (email, role) = body.0.parse()?;
        let client = admin.envelope.client();
        let made = invitations::invite(admin.app(), &admin.caller, email, role, client).await?;
        Ok(CreateInvitationOk::Created(Json(Invitation::from(&made))))
    }

    /// Take an invitation back
    ///
    /// Its link is good for nothing then. By cookie it needs the `X-CSRF-Token` header.
    #[oai(path = "/:invitationId", method = "delete", operation_id = "revokeInvitation")]
    async fn revoke_invitation(
        &self,
        admin: Admin,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The `id` of an invitation.
        #[oai(name = "invitationId", example = "example_invitation")]
        invitation_id: Path<Uuid>,
    ) -> Result<RevokeInvitationOk, Refused<RevokeInvitation>> {
        let (id, client) = (OneTimeId(invitation_id.0), admin.envelope.client());
        invitations::revoke(admin.app(), &admin.caller, id, client).await?;
        Ok(RevokeInvitationOk::NoContent)
    }
}
