//! Signing in and out, and staying signed in.

use poem_openapi::OpenApi;
use poem_openapi::payload::Json;

use super::Tag;
use super::answers::{GetMeOk, LoginOk, LogoutAllOk, LogoutOk, RefreshOk, RegisterOk};
use super::refused::{BODY, GUARD, Refused, codes};
use super::types::{
    Credentials, Delivery, Message, RefreshToken, Refreshed, Registered, Session, SignedIn, User,
};
use crate::fault::Fault;
use crate::flows::login::Visitor;
use crate::flows::logout::FoundBy;
use crate::flows::{self, mint::Issued};
use crate::http::body::{Body, OptionalBody};
use crate::http::envelope::Envelope;
use crate::http::guard::{CsrfHeader, Guarded};
use crate::http::problem::Code;

pub(in crate::http) struct AuthApi;

codes! {
    /// Of `register`.
    Register = [BODY] + CsrfFailed + EmailTaken + RegistrationClosed + TooManyAttempts;
    /// Of `login`.
    Login = [BODY] + CsrfFailed + InvalidCredentials + AccountDisabled + EmailNotVerified
        + TooManyAttempts;
    /// Of `refresh`.
    Refresh = [BODY] + CsrfFailed + NoRefreshToken + InvalidRefreshToken + RefreshTokenReused;
    /// Of `logout`.
    Logout = [BODY] + CsrfFailed;
    /// Of `logoutAll`.
    LogoutAll = [GUARD] + CsrfFailed;
    /// Of `getMe`.
    GetMe = [GUARD];
}

#[OpenApi(prefix_path = "/api/auth", tag = "Tag::Auth")]
impl AuthApi {
    /// Make an account
    ///
    /// Makes an account with the role `user` and signs it in on this device, as `login` does:
    /// `delivery` says where the tokens go. Where addresses have to be verified first, nobody is signed
    /// in and there is no `session`: a mail is sent, also to an address that has an account, and the
    /// answer is the same.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        envelope: Envelope,
        body: Body<Credentials>,
    ) -> Result<RegisterOk, Refused<Register>> {
        let app = &envelope.web.app;
        let (email, password) = body.0.parse(Some(app.config.password_rules()))?;
        let delivery = body.0.delivery();
        let visitor = visitor(&envelope, delivery, body.0.remember()).await?;
        let registered = flows::register::register(app, email, password, visitor).await?;
        let message = "Registration successful".to_owned();
        Ok(RegisterOk::Created(Json(match registered {
            flows::register::Registered::Pending(user) => Registered {
                message,
                user: User::from(&user),
                session: None,
                access_token_expires_in: None,
                access_token: None,
                refresh_token: None,
            },
            flows::register::Registered::SignedIn(issued) => {
                let tokens = deliver(&envelope, &issued, delivery);
                Registered {
                    message,
                    user: User::from(&issued.user),
                    session: Some(own_session(&issued)),
                    access_token_expires_in: Some(seconds(&issued)),
                    access_token: tokens.0,
                    refresh_token: tokens.1,
                }
            }
        })))
    }

    /// Sign in
    ///
    /// Starts a session on this device. With `"delivery": "cookie"` (the default) the tokens are
    /// set as cookies and never in the answer; with `"body"` they are in the answer and no cookie
    /// is set. A login that carries the cookies of another session ends that one.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        envelope: Envelope,
        body: Body<Credentials>,
    ) -> Result<LoginOk, Refused<Login>> {
        let (email, password) = body.0.parse(None)?;
        let delivery = body.0.delivery();
        let visitor = visitor(&envelope, delivery, body.0.remember()).await?;
        let issued = flows::login::login(&envelope.web.app, email, password, visitor).await?;
        Ok(LoginOk::Ok(Json(signed_in(&envelope, &issued, delivery, "Login successful"))))
    }

    /// Trade a refresh token for a new pair
    ///
    /// The token is taken from the body or, without one, from the cookie; the new pair goes the
    /// same way. Each token works once. A request that got no answer, or that lost a race against
    /// another one, may be repeated with the same token: it is given the same successor. A token
    /// that was used before, beyond that, ends the user's sessions.
    #[oai(path = "/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        envelope: Envelope,
        body: OptionalBody<RefreshToken>,
    ) -> Result<RefreshOk, Refused<Refresh>> {
        let in_body = body.0.and_then(|body| body.refresh_token);
        let delivery = if in_body.is_some() { Delivery::Body } else { Delivery::Cookie };
        let token = match &in_body {
            Some(token) => Some(token.as_str()),
            // A client that sends a bearer token has no cookies.
            None => envelope.credentials().map(|it| it.refresh.filter(|_| it.bearer.is_none()))?,
        };
        let token = token.ok_or(Code::NoRefreshToken)?;
        let outcome = flows::refresh::refresh(&envelope.web.app, token, envelope.client()).await;
        let issued = outcome.inspect_err(|refusal| {
            if matches!(refusal, flows::refresh::Refusal::Reused) && delivery == Delivery::Cookie {
                envelope.clear_cookies();
            }
        })?;
        let tokens = match delivery {
            Delivery::Body => in_body_tokens(&issued),
            Delivery::Cookie => {
                envelope.refresh(&issued);
                (None, None)
            }
        };
        Ok(RefreshOk::Ok(Json(Refreshed {
            message: "Access token refreshed".to_owned(),
            session: own_session(&issued),
            access_token_expires_in: seconds(&issued),
            access_token: tokens.0,
            refresh_token: tokens.1,
        })))
    }

    /// Sign out of this device
    ///
    /// Ends the session at once, its access tokens included, and clears the cookies. The session
    /// is found by the refresh token of the body, the bearer token, the refresh cookie or the
    /// access cookie, in this order. It succeeds also with no token, or with one that is expired
    /// or superseded.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        envelope: Envelope,
        body: OptionalBody<RefreshToken>,
    ) -> Result<LogoutOk, Refused<Logout>> {
        let in_body = body.0.and_then(|body| body.refresh_token);
        let credentials = envelope.lenient_credentials();
        let client = envelope.client();
        let found =
            flows::logout::logout(&envelope.web.app, in_body.as_deref(), &credentials, client)
                .await?;
        if found == FoundBy::Cookie {
            envelope.clear_cookies();
        }
        Ok(LogoutOk::Ok(message("Logged out successfully")))
    }

    /// Sign out of all devices
    ///
    /// Ends all of the caller's sessions at once, this one included. By cookie it needs the
    /// `X-CSRF-Token` header.
    #[oai(path = "/logout-all", method = "post", operation_id = "logoutAll")]
    async fn logout_all(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
    ) -> Result<LogoutAllOk, Refused<LogoutAll>> {
        let Guarded { caller, envelope } = guarded;
        flows::logout::logout_all(&envelope.web.app, &caller, envelope.client()).await?;
        if caller.by_cookie {
            envelope.clear_cookies();
        }
        Ok(LogoutAllOk::Ok(message("Logged out from all devices")))
    }

    /// Get the caller's account
    ///
    /// Who is signed in: the account as it is now, not as it was when the access token was made.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    async fn get_me(&self, guarded: Guarded) -> Result<GetMeOk, Refused<GetMe>> {
        let user = flows::me::me(guarded.app(), &guarded.caller).await?;
        Ok(GetMeOk::Ok(Json(User::from(&*user.ok_or(Code::SessionExpired)?))))
    }
}

/// Who signs in. A sign-in by cookie replaces the session whose cookie it is sent with.
pub(super) async fn visitor(
    envelope: &Envelope,
    delivery: Delivery,
    remember: bool,
) -> Result<Visitor, Fault> {
    let credentials = envelope.lenient_credentials();
    let replaces = match delivery {
        Delivery::Cookie if credentials.bearer.is_none() => {
            flows::logout::find_session(&envelope.web.app, None, &credentials).await?.0
        }
        Delivery::Cookie | Delivery::Body => None,
    };
    Ok(Visitor { address: envelope.address, client: envelope.client(), replaces, remember })
}

/// The answer to a sign-in, whose tokens are handed out.
pub(super) fn signed_in(
    envelope: &Envelope,
    issued: &Issued,
    delivery: Delivery,
    message: &str,
) -> SignedIn {
    let tokens = deliver(envelope, issued, delivery);
    SignedIn {
        message: message.to_owned(),
        user: User::from(&issued.user),
        session: own_session(issued),
        access_token_expires_in: seconds(issued),
        access_token: tokens.0,
        refresh_token: tokens.1,
    }
}

/// Hands out the tokens of a sign-in: in the body, or as cookies and then never in the body.
fn deliver(
    envelope: &Envelope,
    issued: &Issued,
    delivery: Delivery,
) -> (Option<String>, Option<String>) {
    match delivery {
        Delivery::Body => in_body_tokens(issued),
        Delivery::Cookie => {
            envelope.sign_in(issued);
            (None, None)
        }
    }
}

fn in_body_tokens(issued: &Issued) -> (Option<String>, Option<String>) {
    (Some(issued.access_token.clone()), Some(issued.refresh_token.clone()))
}

fn own_session(issued: &Issued) -> Session {
    Session::seen_from(&issued.session, issued.session.id)
}

fn seconds(issued: &Issued) -> i64 {
    i64::try_from(issued.access_token_expires_in()).unwrap_or(i64::MAX)
}

pub(super) fn message(text: &str) -> Json<Message> {
    Json(Message { message: text.to_owned() })
}
