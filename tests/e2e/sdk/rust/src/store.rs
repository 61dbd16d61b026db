//! A store that a story can look into, and make fail.

use std::sync::{Arc, Mutex};

use doorward_client::{StoreError, TokenStore, Tokens};

/// Clones share what is kept.
#[derive(Clone, Default)]
pub struct TestStore(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    tokens: Option<Tokens>,
    failures: usize,
    saves: usize,
}

impl TestStore {
    /// A store that starts with `tokens`.
    pub fn with(tokens: Tokens) -> Self {
        let store = Self::default();
        store.0.lock().unwrap().tokens = Some(tokens);
        store
    }

    /// Makes the next save fail.
    pub fn fail_once(&self) {
        self.0.lock().unwrap().failures = 1;
    }

    /// What was saved last.
    pub fn tokens(&self) -> Option<Tokens> {
        self.0.lock().unwrap().tokens.clone()
    }

    /// The access token that was saved last. It must be there.
    pub fn access_token(&self) -> String {
        self.tokens().expect("signed in").access_token.reveal().to_owned()
    }

    /// How many saves have succeeded.
    pub fn saves(&self) -> usize {
        self.0.lock().unwrap().saves
    }
}

impl TokenStore for TestStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        Ok(self.tokens())
    }

    async fn save(&self, tokens: Option<&Tokens>) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap();
        if inner.failures > 0 {
            inner.failures -= 1;
            return Err("the disk is full".into());
        }
        inner.tokens = tokens.cloned();
        inner.saves += 1;
        Ok(())
    }
}
