//! Administration: users, their sessions, the audit trail. Each handler takes [`Admin`] first, so
//! that nobody else comes further.
//!
//! [`Admin`]: crate::http::guard::Admin

mod audit;
mod examples;
mod invitations;
mod sessions;
mod types;
mod users;

pub(in crate::http) use audit::AuditApi;
pub(in crate::http) use invitations::InvitationsApi;
pub(in crate::http) use sessions::UserSessionsApi;
pub(in crate::http) use users::UsersApi;
