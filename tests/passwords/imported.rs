//! Hashes that other programs have left. The examples were made by libxcrypt and OpenSSL.

use doorward::crypto::hasher::{HashRefused, Match, NO_PASSWORD, admit, is_current};

use crate::{CHEAP, Costs, HashFault, SALT, argon2_of, hasher, password};

const RIGHT: &str = "correct horse battery";

/// Hashes of that.
const HASHES: [&str; 8] = [
    "$2b$10$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2",
    "$2y$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$2a$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xXt6EAFzAOlee5Hgl8R5+kLA6sDARjRcMGtm6fZJsa8",
    // As the packages of `@phc` for Node write it.
    "$scrypt$n=4,r=1,p=2$MDEyMzQ1Njc4OWFiY2RlZg$\
     YTG/R5iwzQ9CAniOnbcYYYL3ccdrg6z76qwhsftQuTFETaMdQkB1uaKSwfSW/KXcYUwNWpOQM+t6fXT1RM7GOw",
    "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFApArIZRCQsqjEgZWJ4",
    "$pbkdf2-sha256$i=1000,l=20$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo",
    "$pbkdf2-sha512$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$\
     7F/Y1rnWXXurLCfFvAmyjyXtbABhgzBTBNcm//wlnvGBOz7OExlgRFs5qwaY5PzB3/WjR7P4yv/ACDQZpDXIfQ",
];

#[tokio::test]
async fn are_verified_and_always_outdated() {
    let hasher = hasher(CHEAP);
    for stored in HASHES {
        assert_eq!(admit(stored, CHEAP), Ok(()), "{stored}");
        assert!(!is_current(stored, CHEAP), "{stored}");
        for (text, found) in [
            (RIGHT, Match::RightButOutdated),
            ("Correct horse battery", Match::Wrong),
            ("", Match::Wrong),
        ] {
            let verified = hasher.verify(password(text), Some(stored.to_owned())).await;
            assert_eq!(verified, Ok(found), "{text:?} {stored}");
        }
    }
    let ours = hasher.hash(password(RIGHT), SALT).await.unwrap();
    assert_eq!((admit(&ours, CHEAP), is_current(&ours, CHEAP)), (Ok(()), true));
    assert!(!is_current(&ours, Costs { iterations: 2, ..CHEAP }));
}

#[tokio::test]
async fn bcrypt_looks_at_72_bytes_and_spare_bits_do_not_count() {
    let hasher = hasher(CHEAP);
    let long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let ignored = format!("{long}chars after 72 are ignored");
    let last = format!("{}8", &long[..71]);
    for (stored, text, found) in [
        ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", long, true),
        ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", &ignored, true),
        ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", &last, false),
        ("$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", &long[..71], false),
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", true),
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", true),
        ("$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", "", true),
    ] {
        let verified = hasher.verify(password(text), Some(stored.to_owned())).await;
        let expected = if found { Match::RightButOutdated } else { Match::Wrong };
        assert_eq!(verified, Ok(expected), "{text:?} {stored}");
    }
}

/// The old program hashed what the keyboard sent; here it is NFC that counts.
#[tokio::test]
async fn what_was_typed_counts_in_the_form_in_which_it_was_hashed() {
    let hasher = hasher(CHEAP);
    let decomposed = "$2b$10$abcdefghijklmnopqrstuuvYDr2EMiSoiuKls3fUd8ToKeB0k.N0e";
    let typed = |text| hasher.verify(password(text), Some(decomposed.to_owned()));
    assert_eq!(typed("pa\u{308}ssword").await, Ok(Match::RightButOutdated));
    assert_eq!(typed("p\u{e4}ssword").await, Ok(Match::Wrong), "that was never hashed");
    assert_eq!(typed("pa\u{308}sswort").await, Ok(Match::Wrong));

    let like_ours = argon2_of("argon2id", "pa\u{308}ssword");
    assert!(is_current(&like_ours, CHEAP));
    let found = hasher.verify(password("pa\u{308}ssword"), Some(like_ours)).await;
    assert_eq!(found, Ok(Match::RightButOutdated), "to be hashed in the form that is kept");
}

#[tokio::test]
async fn nothing_is_the_password_of_an_account_without_one() {
    let hasher = hasher(CHEAP);
    for guess in ["", "a\u{308}", RIGHT] {
        let found = hasher.verify(password(guess), Some(NO_PASSWORD.to_owned())).await;
        assert_eq!(found, Ok(Match::Wrong), "{guess:?}");
    }
    assert_eq!(admit(NO_PASSWORD, CHEAP), Err(HashRefused::Unknown), "it is not a hash");
}

#[test]
fn what_is_no_hash_or_a_damaged_one_is_refused() {
    for text in ["secret", "$2x$04$", "$1$salt$hash", "$P$B12345678", "sha1$salt$hash", "$7$"] {
        assert_eq!(admit(text, CHEAP), Err(HashRefused::Unknown), "{text:?}");
    }
    for text in [
        "$2b$10$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/",
        "$2b$10$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2\n",
        "$2b$10$abcdefghijklmnopqrst=uCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2",
        "$2b$10$abcdefghijklmnopqrstüCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2",
        "$2b$+9$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2",
        "$2b$03$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2",
        "$2b$99$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ",
        "$argon2id$v=19$m=1,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo",
        "$scrypt$ln=10,r=8$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo",
        "$scrypt$ln=99,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo",
        "$scrypt$ln=4,r=0,p=1$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo",
        "$pbkdf2-sha256$i=0$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo",
        "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo",
        // As passlib writes it, which is no PHC string.
        "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
    ] {
        assert_eq!(admit(text, CHEAP), Err(HashRefused::Damaged), "{text:?}");
    }
}

/// One sign-in must not take the server's memory or a thread for seconds.
#[test]
fn costs_have_bounds() {
    let rest = "MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo";
    let bcrypt = "abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2";
    let argon = |m, t| format!("$argon2id$v=19$m={m},t={t},p=1${rest}");
    let scrypt = |ln, r, p| format!("$scrypt$ln={ln},r={r},p={p}${rest}");
    let pbkdf2 = |digest, i: u32| format!("$pbkdf2-{digest}$i={i}${rest}");
    let max = u32::MAX;
    for (good, bad) in [
        (format!("$2b$14${bcrypt}"), format!("$2b$15${bcrypt}")),
        (argon(131_072, 8), argon(131_073, 1)),
        (argon(65_536, 16), argon(65_536, 17)),
        (argon(8, 131_072), argon(8, max)),
        (scrypt(17, 8, 4), scrypt(18, 8, 1)),
        (scrypt(10, 8, 1), scrypt(17, 8, 5)),
        (scrypt(10, 8, 1), scrypt(4, 8, max)),
        (scrypt(10, 8, 1), scrypt(31, max, max)),
        (pbkdf2("sha256", 2_000_000), pbkdf2("sha256", 2_000_001)),
        (pbkdf2("sha512", 600_000), pbkdf2("sha512", max)),
    ] {
        assert_eq!(admit(&good, CHEAP), Ok(()), "{good}");
        assert_eq!(admit(&bad, CHEAP), Err(HashRefused::TooCostly), "{bad}");
    }
    // What the server itself is configured to pay is not too much.
    let own = Costs { memory_kib: 1 << 20, iterations: 4, parallelism: 1 };
    assert_eq!(admit(&argon(1 << 20, 4), own), Ok(()));
}

#[tokio::test]
async fn a_hash_that_is_too_costly_to_be_read_is_a_fault() {
    let stored =
        format!("$scrypt$ln=40,r=8,p=1${}", "MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo");
    let found = hasher(CHEAP).verify(password(RIGHT), Some(stored)).await;
    assert_eq!(found, Err(HashFault::Broken));
}
