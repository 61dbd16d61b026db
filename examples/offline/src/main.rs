//! A service that accepts Doorward's access tokens without asking Doorward: it fetches the public
//! keys, again every minute because they are rotated, and verifies each token by itself.
//!
//! Run it with `cargo run -p doorward-example-offline -- http://127.0.0.1:8080`, and send
//! `Authorization: Bearer ACCESS_TOKEN` to <http://127.0.0.1:3001/orders>. The first argument is
//! the `public_url` of Doorward, the second the address to listen on.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use doorward::{AccessClaims, AccessVerifier, PublicKey};
use poem::http::{StatusCode, header};
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::web::Data;
use poem::{EndpointExt as _, Request, Response, Route, Server, get, handler};

/// The verifier with the keys that were fetched last.
type Verifier = Arc<RwLock<AccessVerifier>>;

/// `GET /.well-known/doorward-keys`.
#[derive(serde::Deserialize)]
struct KeyList {
    keys: Vec<Key>,
}

#[derive(serde::Deserialize)]
struct Key {
    key: String,
}

async fn fetch(issuer: &str) -> Result<AccessVerifier, Box<dyn Error>> {
    let answer = reqwest::get(format!("{issuer}/.well-known/doorward-keys")).await?;
    let list: KeyList = answer.error_for_status()?.json().await?;
    let keys =
        list.keys.iter().map(|key| PublicKey::parse(&key.key)).collect::<Result<Vec<_>, _>>()?;
    Ok(AccessVerifier::new(keys, issuer, issuer))
}

/// Who is calling. `None` without a token that is valid now.
#[expect(clippy::disallowed_methods, reason = "a program of its own, with a clock of its own")]
fn caller(request: &Request, verifier: &Verifier) -> Option<AccessClaims> {
    let token = request.header(header::AUTHORIZATION)?.strip_prefix("Bearer ")?;
    let verifier = verifier.read().unwrap_or_else(PoisonError::into_inner);
    verifier.verify(token, SystemTime::now().into()).ok()
}

#[handler]
fn orders(request: &Request, Data(verifier): Data<&Verifier>) -> Response {
    let Some(claims) = caller(request, verifier) else {
        return Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#)
            .finish();
    };
    format!("The orders of {}\n", claims.identity.email).into()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let issuer = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3001".to_owned());

    let verifier = Arc::new(RwLock::new(fetch(&issuer).await?));
    let fetched = Arc::clone(&verifier);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            match fetch(&issuer).await {
                Ok(fresh) => *fetched.write().unwrap_or_else(PoisonError::into_inner) = fresh,
                Err(error) => eprintln!("the keys could not be fetched again: {error}"),
            }
        }
    });

    let acceptor = TcpListener::bind(address).into_acceptor().await?;
    let bound = acceptor.local_addr().first().and_then(|addr| addr.as_socket_addr().copied());
    println!("listening on http://{}", bound.ok_or("no address to listen on")?);
    let app = Route::new().at("/orders", get(orders)).data(verifier);
    Server::new_with_acceptor(acceptor).run(app).await?;
    Ok(())
}
