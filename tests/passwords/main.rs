//! Password hashing: the stored form, what is recognised, and how a storm is shed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod imported;

use doorward::crypto::hasher::{Costs, HashFault, Hasher, Match};
use doorward::domain::password::Password;
use futures_util::future::join_all;

const CHEAP: Costs = Costs { memory_kib: 8, iterations: 1, parallelism: 1 };
const SALT: [u8; 16] = [7; 16];

fn hasher(costs: Costs) -> Hasher {
    Hasher::start(costs, 1).unwrap()
}

fn password(text: &str) -> Password {
    Password::present(text).unwrap()
}

#[tokio::test]
async fn the_documented_costs_are_written_into_the_phc_string() {
    let defaults = doorward::config::Config::default();
    let hasher = hasher(Costs {
        memory_kib: defaults.argon2_memory_kib,
        iterations: defaults.argon2_iterations,
        parallelism: defaults.argon2_parallelism,
    });
    let stored = hasher.hash(password("correct horse"), SALT).await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_eq!(hasher.verify(password("correct horse"), Some(stored)).await, Ok(Match::Right));
}

#[tokio::test]
async fn a_stored_hash_is_a_phc_string_of_its_own_salt() {
    let stored = hasher(CHEAP).hash(password("correct horse"), SALT).await.unwrap();
    let fields: Vec<_> = stored.split('$').collect();
    assert_eq!(fields[..4], ["", "argon2id", "v=19", "m=8,t=1,p=1"]);
    assert_eq!(
        (fields.len(), fields[4].len(), fields[5].len()),
        (6, 22, 43),
        "16 and 32 bytes: {stored}"
    );
    let other = hasher(CHEAP).hash(password("correct horse"), [8; 16]).await.unwrap();
    assert_ne!(stored, other, "the salt counts");
}

#[tokio::test]
async fn right_wrong_and_outdated() {
    let now = hasher(CHEAP);
    let mut outdated = vec![("argon2i", argon2_of("argon2i", "correct horse"))];
    for (name, costs) in [
        ("less memory now", Costs { memory_kib: 16, ..CHEAP }),
        ("fewer passes now", Costs { iterations: 2, ..CHEAP }),
        ("fewer lanes now", Costs { memory_kib: 16, parallelism: 2, ..CHEAP }),
    ] {
        outdated.push((name, hasher(costs).hash(password("correct horse"), SALT).await.unwrap()));
    }
    let current = now.hash(password("correct horse"), SALT).await.unwrap();

    assert_eq!(
        now.verify(password("correct horse"), Some(current.clone())).await,
        Ok(Match::Right)
    );
    for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
        assert_eq!(
            now.verify(password(wrong), Some(current.clone())).await,
            Ok(Match::Wrong),
            "{wrong:?}"
        );
    }
    for (name, stored) in outdated {
        let right = now.verify(password("correct horse"), Some(stored.clone())).await;
        assert_eq!(right, Ok(Match::RightButOutdated), "{name}");
        let wrong = now.verify(password("wrong"), Some(stored)).await;
        assert_eq!(wrong, Ok(Match::Wrong), "{name}");
    }
}

/// A hash that another program has left.
fn argon2_of(algorithm: &str, text: &str) -> String {
    use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
    use argon2::{Algorithm, Argon2, Params, Version};
    let params =
        Params::new(CHEAP.memory_kib, CHEAP.iterations, CHEAP.parallelism, Some(32)).unwrap();
    let algorithm = Algorithm::new(algorithm).unwrap();
    let mut output = [0; 32];
    Argon2::new(algorithm, Version::V0x13, params.clone())
        .hash_password_into(text.as_bytes(), &SALT, &mut output)
        .unwrap();
    PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).unwrap(),
        salt: Some(Salt::new(&SALT).unwrap()),
        hash: Some(Output::new(&output).unwrap()),
    }
    .to_string()
}

#[tokio::test]
async fn nobody_has_the_password_of_an_unknown_account() {
    let hasher = hasher(CHEAP);
    for guess in ["", "correct horse", "\0"] {
        assert_eq!(hasher.verify(password(guess), None).await, Ok(Match::Wrong), "{guess:?}");
        // Nor of one whose password is still to be set.
        let unset = hasher.verify(password(guess), Some(String::new())).await;
        assert_eq!(unset, Ok(Match::Wrong), "{guess:?}");
    }
}

#[tokio::test]
async fn one_password_in_two_unicode_forms_is_one_password() {
    let hasher = hasher(CHEAP);
    let composed = hasher.hash(password("pässword"), SALT).await.unwrap();
    let decomposed = hasher.hash(password("pa\u{308}ssword"), SALT).await.unwrap();
    assert_eq!(composed, decomposed);
    assert_eq!(hasher.verify(password("password"), Some(composed)).await, Ok(Match::Wrong));
}

#[tokio::test]
async fn a_stored_hash_that_cannot_be_read_is_a_fault_and_not_a_wrong_password() {
    let hasher = hasher(CHEAP);
    for stored in [
        " ",
        "secret",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ",
        "$scrypt$ln=1,r=8,p=1$c2FsdHNhbHQ$aGFzaA",
    ] {
        let found = hasher.verify(password("secret"), Some(stored.to_owned())).await;
        assert_eq!(found, Err(HashFault::Broken), "{stored:?}");
    }
    let stored = hasher.hash(password("secret"), SALT).await.unwrap();
    assert_eq!(
        hasher.verify(password("secret"), Some(stored)).await,
        Ok(Match::Right),
        "the thread goes on"
    );
}

#[tokio::test]
async fn a_storm_is_shed_at_the_door_and_what_was_let_in_is_answered() {
    // Slow enough that one thread cannot keep up with the queueing.
    let hasher = hasher(Costs { memory_kib: 512, ..CHEAP });
    let stored = hasher.hash(password("correct horse"), SALT).await.unwrap();
    let answers = join_all(
        (0..4_000).map(|_| hasher.verify(password("correct horse"), Some(stored.clone()))),
    )
    .await;
    let right = answers.iter().filter(|answer| **answer == Ok(Match::Right)).count();
    let shed = answers.iter().filter(|answer| **answer == Err(HashFault::Overloaded)).count();
    assert_eq!(right + shed, answers.len());
    assert!(right >= 256, "the queue holds 256: {right}");
    assert!(shed > 0, "nothing was shed");
    assert_eq!(
        hasher.verify(password("correct horse"), Some(stored)).await,
        Ok(Match::Right),
        "and it is over"
    );
}
