//! Where tokens are kept from one run of the program to the next.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use crate::Tokens;

/// What went wrong in a store.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps the tokens of one session. Implement it with `async fn`s.
///
/// A new pair is saved before it is used. When that fails, the call that needed it fails with
/// [`Error::Store`](crate::Error::Store), the old pair stays in force, and the next call tries
/// again: the server hands out the same new pair.
pub trait TokenStore: Send + Sync + 'static {
    /// Returns what was saved last, or `None`. Called once, when the client is built.
    fn load(&self) -> impl Future<Output = Result<Option<Tokens>, StoreError>> + Send;

    /// Replaces what is kept; `None` means signed out.
    fn save(&self, tokens: Option<&Tokens>) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Forgets the tokens when the program ends. A client that is given no store has one of these.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Option<Tokens>>);

impl From<Tokens> for MemoryStore {
    /// Starts with tokens that came from elsewhere.
    fn from(tokens: Tokens) -> Self {
        Self(Mutex::new(Some(tokens)))
    }
}

impl TokenStore for MemoryStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn save(&self, tokens: Option<&Tokens>) -> Result<(), StoreError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tokens.cloned();
        Ok(())
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Any store behind a pointer, so that its type is not a parameter of the client's.
pub(crate) trait DynStore: Send + Sync {
    fn load(&self) -> BoxFuture<'_, Option<Tokens>>;
    fn save<'a>(&'a self, tokens: Option<&'a Tokens>) -> BoxFuture<'a, ()>;
}

impl<S: TokenStore> DynStore for S {
    fn load(&self) -> BoxFuture<'_, Option<Tokens>> {
        Box::pin(TokenStore::load(self))
    }

    fn save<'a>(&'a self, tokens: Option<&'a Tokens>) -> BoxFuture<'a, ()> {
        Box::pin(TokenStore::save(self, tokens))
    }
}
