//! The operations, by name. [`Doorward::call`] reaches those that are not here.

use std::time::Instant;

use uuid::Uuid;

use crate::api::types::{
    Credentials, CurrentPassword, Delivery, Key, PasswordChange, Registered, Session, SignedIn,
    User,
};
use crate::session::answer;
use crate::{Doorward, Error, Secret};

impl Doorward {
    /// Makes an account and signs it in, unless its address has to be verified first. Fails with
    /// `email_taken`, `registration_closed`, `validation_failed` or `too_many_attempts`.
    pub async fn register(
        &self,
        email: impl Into<String>,
        password: impl Into<Secret>,
    ) -> Result<Registered, Error> {
        let credentials = self.credentials(email.into(), password.into());
        let _changing = self.session.changing.lock().await;
        let asked = Instant::now();
        let mut registered = answer(self.session.anonymous().register(&credentials)).await?;
        let pair = (registered.access_token.take(), registered.refresh_token.take());
        // A server may want to see the address verified before it lets anybody in.
        if let Some(expires_in) = registered.access_token_expires_in {
            self.session.begin(pair, expires_in, asked).await?;
        }
        Ok(registered)
    }

    /// Signs in. Fails with `invalid_credentials`, `email_not_verified`, `account_disabled` or
    /// `too_many_attempts`; who was signed in before then still is.
    pub async fn login(
        &self,
        email: impl Into<String>,
        password: impl Into<Secret>,
    ) -> Result<SignedIn, Error> {
        let credentials = self.credentials(email.into(), password.into());
        let _changing = self.session.changing.lock().await;
        let asked = Instant::now();
        let mut signed_in = answer(self.session.anonymous().login(&credentials)).await?;
        let pair = (signed_in.access_token.take(), signed_in.refresh_token.take());
        self.session.begin(pair, signed_in.access_token_expires_in, asked).await?;
        Ok(signed_in)
    }

    /// Signs out of this device, also with expired tokens. When it fails, it can be repeated:
    /// nothing was dropped.
    pub async fn logout(&self) -> Result<(), Error> {
        let _changing = self.session.changing.lock().await;
        let body = self.session.held().refresh_token();
        answer(self.session.anonymous().logout(&body)).await?;
        self.session.forget().await
    }

    /// Signs out of all of the user's devices. When it fails, it can be repeated: nothing was
    /// dropped.
    pub async fn logout_all(&self) -> Result<(), Error> {
        // Held from the start: a call that fails meanwhile must not report the end of the session.
        let _changing = self.session.changing.lock().await;
        self.call_alone(|client| async move { client.logout_all().await }).await?;
        self.session.forget().await
    }

    /// Changes the password, and signs out of all devices but this. Fails with `wrong_password`,
    /// `validation_failed` or `too_many_attempts`. Without an answer, or when the store fails, it
    /// may have been changed: sign in again then.
    pub async fn change_password(
        &self,
        current: impl Into<Secret>,
        new: impl Into<Secret>,
    ) -> Result<SignedIn, Error> {
        let change = PasswordChange { current_password: current.into(), new_password: new.into() };
        let change = &change;
        let _changing = self.session.changing.lock().await;
        let asked = Instant::now();
        let call = self.call_alone(|client| async move { client.change_password(change).await });
        let mut signed_in = call.await?;
        let pair = (signed_in.access_token.take(), signed_in.refresh_token.take());
        // It is the same user: calls that failed with the old pair are repeated.
        self.session.adopt(pair, signed_in.access_token_expires_in, asked).await?;
        Ok(signed_in)
    }

    /// Deletes the account for good. Fails with `wrong_password` or `too_many_attempts`.
    pub async fn delete_account(&self, password: impl Into<Secret>) -> Result<(), Error> {
        let password = CurrentPassword { password: password.into() };
        let password = &password;
        let _changing = self.session.changing.lock().await;
        self.call_alone(|client| async move { client.delete_account(password).await }).await?;
        self.session.forget().await
    }

    /// Returns the account that is signed in.
    pub async fn get_me(&self) -> Result<User, Error> {
        self.call(|client| async move { client.get_me().await }).await
    }

    /// Returns the account's live sessions, the most recently used first.
    pub async fn list_sessions(&self) -> Result<Vec<Session>, Error> {
        let list = self.call(|client| async move { client.list_sessions().await }).await?;
        Ok(list.sessions)
    }

    /// Ends one of the account's sessions. Fails with `not_found`, also for another user's.
    pub async fn revoke_session(&self, id: Uuid) -> Result<(), Error> {
        self.call(|client| async move { client.revoke_session(&id).await }).await
    }

    /// Returns the public keys that access tokens can be verified with.
    pub async fn get_keys(&self) -> Result<Vec<Key>, Error> {
        Ok(self.call_anonymously(|client| async move { client.get_keys().await }).await?.keys)
    }

    /// Renews the tokens now. Calls do so by themselves when it is time.
    pub async fn refresh(&self) -> Result<(), Error> {
        self.session.renew(self.session.held().generation).await
    }

    fn credentials(&self, email: String, password: Secret) -> Credentials {
        let delivery = if self.session.jar.is_some() { Delivery::Cookie } else { Delivery::Body };
        let remember = (!self.session.remember).then_some(false);
        Credentials { email, password, delivery: Some(delivery), remember }
    }
}
