//! Signs in, looks around, signs out: `cargo run --example quickstart -- http://127.0.0.1:8080`.

use doorward_client::{Doorward, Error, FileStore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());

    // The tokens outlive the program in this file, until somebody signs out.
    let doorward = Doorward::builder(url)
        .store(FileStore::new("doorward-tokens.json"))
        .on_signed_out(|problem| println!("signed out: {problem}"))
        .build()
        .await?;

    if !doorward.is_signed_in() {
        let (email, password) = ("ana@example.com", "correct horse battery");
        match doorward.register(email, password).await {
            Ok(_) => println!("registered"),
            Err(Error::Problem(problem)) if problem.code == "email_taken" => {
                doorward.login(email, password).await?;
            }
            Err(error) => return Err(error),
        }
    }

    println!("signed in as {}", doorward.get_me().await?.email);
    for session in doorward.list_sessions().await? {
        println!("{} since {}", session.device, session.created_at);
    }
    doorward.logout().await
}
