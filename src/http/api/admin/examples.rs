//! Examples for the reader of the spec: Ben, whom an administrator looks after.

use poem_openapi::types::Example;
use uuid::Uuid;

use super::invitations::{Invitation, InvitationList, NewInvitation};
use super::types::{AdminUser, AdminUserList, AuditEvent, AuditEventList, NewUser, UserChanges};
use crate::domain::id::{OneTimeId, UserId};
use crate::domain::one_time::Purpose;
use crate::domain::time::Timestamp;
use crate::http::api::events::EventDetail;
use crate::http::api::examples::{REGISTERED, USED};
use crate::http::api::types::{Role, Time};
use crate::http::query::Cursor as _;
use crate::store::EventSeq;

/// The day before Ana registered.
const MADE: Timestamp = Timestamp::from_millis(REGISTERED.as_millis() - 86_400_000);

/// Ben's id, for parameters too.
pub(super) fn user_id() -> Uuid {
    UserId::new(MADE, &[0x2b, 0x91, 0x0c, 0x55, 0xe1, 0x3a, 0x88, 0x47, 0x19, 3]).0
}

fn admin_id() -> Uuid {
    UserId::new(MADE, &[0x0a, 0x40, 0x77, 0x21, 0x5d, 0xc2, 0x16, 0xb9, 0x63, 2]).0
}

impl Example for AdminUser {
    fn example() -> Self {
        Self {
            id: user_id(),
            email: "ben@example.com".to_owned(),
            role: Role::User,
            is_verified: true,
            disabled_at: Some(Time(USED)),
            created_at: Time(MADE),
            updated_at: Time(USED),
        }
    }
}

impl Example for AdminUserList {
    fn example() -> Self {
        let next_cursor = Some(UserId(user_id()).to_text());
        Self { users: vec![AdminUser::example()], next_cursor }
    }
}

impl Example for NewUser {
    fn example() -> Self {
        Self {
            email: "ben@example.com".to_owned(),
            password: Some("correct horse battery".to_owned()),
            role: Some(Role::User),
            is_verified: Some(true),
        }
    }
}

impl Example for UserChanges {
    fn example() -> Self {
        Self { role: None, is_verified: None, is_disabled: Some(true) }
    }
}

/// Of an invitation, for parameters too.
pub(super) fn invitation_id() -> Uuid {
    OneTimeId::new(MADE, &[0x7e, 0x13, 0xa9, 0x60, 0x2c, 0x5b, 0xd4, 0x18, 0x33, 7]).0
}

impl Example for Invitation {
    fn example() -> Self {
        Self {
            id: invitation_id(),
            email: "cleo@example.com".to_owned(),
            role: Role::User,
            invited_by: Some(admin_id()),
            created_at: Time(MADE),
            expires_at: Time(MADE.plus(Purpose::AcceptInvitation.life())),
        }
    }
}

impl Example for InvitationList {
    fn example() -> Self {
        let next_cursor = Some(OneTimeId(invitation_id()).to_text());
        Self { invitations: vec![Invitation::example()], next_cursor }
    }
}

impl Example for NewInvitation {
    fn example() -> Self {
        Self { email: "cleo@example.com".to_owned(), role: None }
    }
}

impl Example for AuditEvent {
    fn example() -> Self {
        Self {
            at: Time(USED),
            event: "role_changed".to_owned(),
            user_id: Some(user_id()),
            actor_id: Some(admin_id()),
            session_id: None,
            ip: "203.0.113.7".to_owned(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
                .to_owned(),
            device: "Firefox on Linux".to_owned(),
            detail: Some(EventDetail::example()),
        }
    }
}

impl Example for AuditEventList {
    fn example() -> Self {
        let next_cursor = Some(EventSeq(4711).to_text());
        Self { events: vec![AuditEvent::example()], next_cursor }
    }
}
