//! The stories. Each has a server of its own.

mod cookies;
mod ended;
mod faults;
mod password;
mod persistence;
mod quickstart;
mod renewal;
mod sessions;
mod sign_out;
mod signing_in;

/// Requests as the proxy's log has them.
pub(crate) mod request {
    pub(crate) const CHANGE: &str = "POST /api/auth/password";
    pub(crate) const DELETE: &str = "POST /api/auth/delete-account";
    pub(crate) const LOGIN: &str = "POST /api/auth/login";
    pub(crate) const LOGOUT: &str = "POST /api/auth/logout";
    pub(crate) const LOGOUT_ALL: &str = "POST /api/auth/logout-all";
    pub(crate) const ME: &str = "GET /api/auth/me";
    pub(crate) const REFRESH: &str = "POST /api/auth/refresh";
}
