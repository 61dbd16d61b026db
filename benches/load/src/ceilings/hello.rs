//! The ceiling: a poem-openapi operation that answers with a constant.

use poem::listener::{Listener as _, TcpListener};
use poem::{Route, Server, get, handler};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, OpenApiService};

use crate::Failure;

#[derive(Object)]
struct Greeting {
    message: String,
}

struct Api;

#[expect(clippy::unused_async, reason = "an operation is")]
#[OpenApi]
impl Api {
    #[oai(path = "/api/hello", method = "get")]
    async fn hello(&self) -> Json<Greeting> {
        Json(Greeting { message: "hello".to_owned() })
    }
}

#[handler]
fn plain() -> &'static str {
    "hello"
}

/// Serves `/api/hello` (poem-openapi) and `/hello` (poem alone).
pub async fn serve(address: &str) -> Result<(), Failure> {
    let service = OpenApiService::new(Api, "hello", "1");
    let routes = Route::new().nest("/", service).at("/hello", get(plain));
    let acceptor = TcpListener::bind(address.to_owned()).into_acceptor().await?;
    println!("listening on {address}");
    Server::new_with_acceptor(acceptor).run(routes).await?;
    Ok(())
}
