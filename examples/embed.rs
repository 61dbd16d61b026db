//! A poem program of its own that signs its users in with Doorward: it mounts Doorward's routes,
//! protects a route of its own with the guard, and reads who is calling.
//!
//! Run it with `cargo run --example embed`, register at <http://127.0.0.1:3000/docs>, then open
//! <http://127.0.0.1:3000/orders>. The first argument is the address, the second the data
//! directory.

use std::error::Error;

use doorward::{Caller, Config, Doorward};
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::{EndpointExt as _, Route, Server, get, handler};

/// A route that is not Doorward's. The guard lets nobody in whom it does not know.
#[handler]
#[expect(clippy::needless_pass_by_value, reason = "poem hands extractors over by value")]
fn orders(caller: Caller) -> String {
    let identity = &caller.claims.identity;
    format!("The orders of {} ({})\n", identity.email, identity.role.as_str())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let data_dir = arguments.next().unwrap_or_else(|| "data".to_owned()).into();

    let acceptor = TcpListener::bind(address).into_acceptor().await?;
    let bound = acceptor.local_addr().first().and_then(|addr| addr.as_socket_addr().copied());
    let bound = bound.ok_or("no address to listen on")?;

    let doorward = Doorward::open_at(Config { data_dir, ..Config::default() }, bound).await?;
    let app =
        Route::new().nest("/", doorward.routes()).at("/orders", get(orders).with(doorward.guard()));

    println!("listening on http://{bound}");
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    Server::new_with_acceptor(acceptor).run_with_graceful_shutdown(app, stop, None).await?;
    doorward.close().await;
    Ok(())
}
