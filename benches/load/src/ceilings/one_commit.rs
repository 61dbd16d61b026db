//! The usual way: the same tokens in the same framework, a pool of connections, and a transaction
//! of its own for each rotation, just as durable.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use doorward::clock::{Clock as _, SystemClock, SystemEntropy, random};
use doorward::crypto::key_files;
use doorward::crypto::keyring::{Keyring, Root};
use doorward::crypto::refresh::{self, Nonce};
use doorward::domain::claims::{AccessClaims, AccessTokenType, Identity, RefreshClaims, Role};
use doorward::domain::secret::Secret;
use poem::http::{StatusCode, header};
use poem::listener::{Listener as _, TcpListener};
use poem::web::Data;
use poem::{
    EndpointExt as _, Error, IntoResponse, Request, Response, Route, Server, handler, post,
};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{TransactionBehavior, params};

use crate::Failure;
use crate::herd::PUBLIC_URL;

struct State {
    keys: Keyring,
    pool: r2d2::Pool<SqliteConnectionManager>,
    clock: SystemClock,
}

/// Serves `POST /refresh` over the sessions in `data`.
pub async fn serve(address: &str, data: PathBuf) -> Result<(), Failure> {
    let state = Arc::new(open(&data)?);
    let routes = Route::new()
        .at("/refresh", post(rotate))
        .at("/hello", poem::endpoint::make_sync(|_| "hello"))
        .data(state);
    let acceptor = TcpListener::bind(address.to_owned()).into_acceptor().await?;
    println!("listening on {address}");
    Server::new_with_acceptor(acceptor).run(routes).await?;
    Ok(())
}

fn open(data: &Path) -> Result<State, Failure> {
    let clock = SystemClock::start();
    let root = Root::from_bytes([0; 32]);
    let keys = key_files::load_dir(&data.join("keys"), false, &root, clock.now().wall)?;
    let manager = SqliteConnectionManager::file(data.join("doorward.db")).with_init(|sql| {
        sql.busy_timeout(std::time::Duration::from_secs(20))?;
        sql.pragma_update(None, "journal_mode", "WAL")?;
        sql.pragma_update(None, "synchronous", "FULL")
    });
    Ok(State { keys, pool: r2d2::Pool::builder().max_size(8).build(manager)?, clock })
}

#[handler]
async fn rotate(request: &Request, state: Data<&Arc<State>>) -> poem::Result<Response> {
    let refused = || Error::from_status(StatusCode::FORBIDDEN);
    let cookies = request.header(header::COOKIE).unwrap_or_default();
    let token = cookies.split("; ").find_map(|pair| pair.strip_prefix("refreshToken="));
    let claims = refresh::open(token.ok_or_else(refused)?, &state.keys).ok_or_else(refused)?;
    let state = Arc::clone(&state);
    let tokens = tokio::task::spawn_blocking(move || turn(&state, &claims)).await;
    let (access, refresh) = tokens.ok().and_then(Result::ok).ok_or_else(refused)?;
    Ok(Response::builder()
        .content_type("application/json")
        .header(header::SET_COOKIE, format!("token={access}; Path=/; SameSite=Lax; HttpOnly"))
        .header(
            header::SET_COOKIE,
            format!("refreshToken={refresh}; Path=/; SameSite=Lax; HttpOnly"),
        )
        .body("{\"message\":\"Access token refreshed\"}")
        .into_response())
}

/// Reads, compares, writes and commits one rotation.
fn turn(state: &State, held: &RefreshClaims) -> Result<(String, String), Failure> {
    let now = state.clock.now().wall;
    let ratchet = state.keys.ratchets().active();
    let next = Secret::from_bytes(random(&SystemEntropy)?);
    let mut sql = state.pool.get()?;
    let write = sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (hash, email): ([u8; 32], String) = write
        .prepare_cached(
            "SELECT secret_hash, email FROM sessions JOIN users ON users.id = user_id
             WHERE sessions.id = ?1 AND generation = ?2 AND ended_at IS NULL",
        )?
        .query_row(params![held.sid.0.as_bytes(), held.generation.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if doorward::domain::secret::LookupHash(hash) != ratchet.lookup(&held.sec) {
        return Err("not the current token".into());
    }
    let generation = held.generation.next();
    let expires_at = now.plus(std::time::Duration::from_secs(30 * 24 * 3600));
    let changed = write
        .prepare_cached(
            "UPDATE sessions SET generation = ?2, secret_hash = ?3, rotated_at = ?4,
                 expires_at = ?5, last_used_at = ?4, confirmed_at = NULL
             WHERE id = ?1",
        )?
        .execute(params![
            held.sid.0.as_bytes(),
            generation.0,
            ratchet.lookup(&next).0,
            now.as_millis(),
            expires_at.as_millis()
        ])?;
    write.commit()?;
    if changed != 1 {
        return Err("no such session".into());
    }
    let access = state.keys.active().sign(&AccessClaims {
        iss: PUBLIC_URL.to_owned(),
        aud: PUBLIC_URL.to_owned(),
        sub: held.sub,
        sid: held.sid,
        generation,
        identity: Identity { email, role: Role::User, is_verified: true },
        typ: AccessTokenType::Access,
        iat: now,
        nbf: now.floor_to_second(),
        exp: now.plus(std::time::Duration::from_secs(900)),
    })?;
    let claims = RefreshClaims { generation, sec: next, iat: now, exp: expires_at, ..held.clone() };
    Ok((access, refresh::seal(&claims, &state.keys, Nonce::from_bytes(random(&SystemEntropy)?))?))
}
