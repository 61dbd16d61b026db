//! The ratchet: what it depends on, what it recognises, and that nothing of it is printed.

use uuid::Uuid;

use super::*;
use crate::domain::id::UserId;
use crate::domain::session::Client;
use crate::domain::time::Timestamp;

const SESSION: SessionId = SessionId(Uuid::from_u128(7));
const USER: UserId = UserId(Uuid::from_u128(8));

/// A secret that would be recognised in any form it could be printed in.
const RECOGNISABLE: u8 = 0xa7;

fn ratchet(set: u8) -> Ratchet {
    Ratchet::new(
        KeyId([set; 33]),
        RatchetKey::from_bytes([set; 32]),
        LookupKey::from_bytes([set + 100; 32]),
    )
}

fn secret(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}

/// A session of generation 4 whose secret was made from `parent` by `ratchet`.
fn turned_from(parent: &Secret, ratchet: &Ratchet) -> (Session, Secret) {
    let (salt, generation) = (Salt([9; 32]), Generation(4));
    let child = ratchet.turn(parent, &salt, SESSION, generation);
    let at = Timestamp::from_millis(0);
    let session = Session {
        id: SESSION,
        user_id: USER,
        created_at: at,
        generation,
        secret_hash: ratchet.lookup(&child),
        salt,
        key_id: ratchet.id,
        rotated_at: at,
        confirmed_at: None,
        expires_at: at,
        ends_at: at,
        last_used_at: at,
        client: Client::default(),
        ended: None,
    };
    (session, child)
}

fn presented(generation: u32, secret: &Secret) -> Presented {
    Presented {
        user: USER,
        session: SESSION,
        generation: Generation(generation),
        secret: secret.clone(),
    }
}

fn examined(ratchets: &Ratchets, session: &Session, presented: &Presented) -> String {
    format!("{:?}", ratchets.examine(session, presented))
}

#[test]
fn the_child_depends_on_each_input_and_on_nothing_else() {
    let (salt, generation) = (Salt([2; 32]), Generation(5));
    let child = |ratchet: &Ratchet, parent, salt: &Salt, session, generation| {
        ratchet.turn(&secret(parent), salt, session, generation).0
    };
    let first = child(&ratchet(1), 1, &salt, SESSION, generation);
    assert_eq!(child(&ratchet(1), 1, &salt, SESSION, generation), first, "the same once more");

    let other_session = SessionId(Uuid::from_u128(70));
    let children = [
        first,
        child(&ratchet(2), 1, &salt, SESSION, generation),
        child(&ratchet(1), 3, &salt, SESSION, generation),
        child(&ratchet(1), 1, &Salt([3; 32]), SESSION, generation),
        child(&ratchet(1), 1, &salt, other_session, generation),
        child(&ratchet(1), 1, &salt, SESSION, Generation(6)),
        child(&ratchet(1), 1, &salt, SESSION, Generation(5 << 8)),
    ];
    let distinct: std::collections::HashSet<_> = children.iter().collect();
    assert_eq!(distinct.len(), children.len());
}

#[test]
fn every_bit_of_parent_salt_and_session_counts() {
    let turn = |parent, salt, session| {
        let session = SessionId(Uuid::from_bytes(session));
        ratchet(1).turn(&Secret(parent), &Salt(salt), session, Generation(2)).0
    };
    let mut children = std::collections::HashSet::from([turn([0; 32], [0; 32], [0; 16])]);
    for bit in 0..256 {
        let mut flipped = [0; 32];
        flipped[bit / 8] = 1 << (bit % 8);
        children.insert(turn(flipped, [0; 32], [0; 16]));
        children.insert(turn([0; 32], flipped, [0; 16]));
        if let Ok(session) = <[u8; 16]>::try_from(&flipped[..16])
            && bit < 128
        {
            children.insert(turn([0; 32], [0; 32], session));
        }
    }
    assert_eq!(children.len(), 1 + 256 + 256 + 128);
}

#[test]
fn the_stored_hash_is_neither_the_secret_nor_the_child() {
    let ratchet = ratchet(1);
    let parent = secret(1);
    assert_ne!(ratchet.lookup(&parent).0, parent.0);
    assert_ne!(
        ratchet.lookup(&parent).0,
        ratchet.turn(&parent, &Salt([0; 32]), SESSION, Generation(2)).0
    );
    assert_eq!(ratchet.lookup(&parent), ratchet.lookup(&parent));
    assert_ne!(ratchet.lookup(&parent), ratchet.lookup(&secret(2)));
}

#[test]
fn the_current_secret_and_its_parent_are_recognised_and_nothing_else() {
    let parent = secret(1);
    let (session, child) = turned_from(&parent, &ratchet(1));
    let ratchets = Ratchets::new(ratchet(1), []);
    let grandchild = ratchet(1).turn(&child, &session.salt, SESSION, Generation(5));
    for (name, presented, expected) in [
        ("the current one", presented(4, &child), "Current"),
        ("its parent", presented(3, &parent), "Parent"),
        ("the current one, said to be the parent", presented(3, &child), "Nothing"),
        ("the parent, said to be current", presented(4, &parent), "Nothing"),
        ("the parent, said to be its parent", presented(2, &parent), "Nothing"),
        ("a wrong secret", presented(4, &secret(2)), "Nothing"),
        ("a wrong parent", presented(3, &secret(2)), "Nothing"),
        ("the child of the current one", presented(5, &grandchild), "Nothing"),
        ("the current one, from the future", presented(u32::MAX, &child), "Nothing"),
        ("the current one, of generation zero", presented(0, &child), "Nothing"),
    ] {
        assert_eq!(examined(&ratchets, &session, &presented), expected, "{name}");
    }
    let Proof::Parent(again) = ratchets.examine(&session, &presented(3, &parent)) else {
        panic!("the parent is recognised");
    };
    assert_eq!(again.0, child.0, "the parent yields the very same child again");
}

#[test]
fn the_set_of_keys_that_the_session_names_decides() {
    let parent = secret(1);
    let (session, child) = turned_from(&parent, &ratchet(1));
    let newer = Ratchets::new(ratchet(2), [ratchet(1)]);
    assert_eq!(examined(&newer, &session, &presented(4, &child)), "Current");
    assert_eq!(examined(&newer, &session, &presented(3, &parent)), "Parent");

    let retired = Ratchets::new(ratchet(2), [ratchet(3)]);
    assert_eq!(examined(&retired, &session, &presented(4, &child)), "Nothing");
    assert_eq!(examined(&retired, &session, &presented(3, &parent)), "Nothing");

    let renamed = Session { key_id: ratchet(2).id, ..session };
    assert_eq!(examined(&newer, &renamed, &presented(4, &child)), "Nothing");
}

#[test]
fn nothing_secret_is_printed() {
    let secret = secret(RECOGNISABLE);
    let salt = Salt([RECOGNISABLE; 32]);
    let hash = LookupHash([RECOGNISABLE; 32]);
    let (session, _) = turned_from(&secret, &ratchet(1));
    let session = Session { salt, secret_hash: hash, ..session };
    let printed = [
        format!("{secret:?} {secret:#?}"),
        format!("{salt:?} {salt:#?}"),
        format!("{hash:?} {hash:#?}"),
        format!("{:?}", Proof::Parent(secret.clone())),
        format!("{:?}", presented(3, &secret)),
        format!("{session:?}"),
    ]
    .concat()
    .to_lowercase();
    // In decimal, in hexadecimal, and in either base64.
    for form in ["167", "a7", "p6en"] {
        assert!(!printed.contains(form), "{form} in {printed}");
    }
}

#[test]
fn a_secret_is_read_back_from_a_token_and_from_nothing_else() -> Result<(), serde_json::Error> {
    let text = serde_json::to_string(&secret(RECOGNISABLE))?;
    assert_eq!(serde_json::from_str::<Secret>(&text)?.0, [RECOGNISABLE; 32]);
    let short = URL_SAFE_NO_PAD.encode([RECOGNISABLE; 31]);
    let long = URL_SAFE_NO_PAD.encode([RECOGNISABLE; 33]);
    for wrong in ["", "p6en", &short, &long, &format!("{}=", text.trim_matches('"')), "!"] {
        match serde_json::from_value::<Secret>(wrong.into()) {
            Ok(_) => panic!("{wrong:?} is read as a secret"),
            Err(error) => {
                assert!(wrong.is_empty() || !error.to_string().contains(wrong), "{error}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_key_id_is_written_in_its_paserk_form() {
    let id = KeyId([RECOGNISABLE; 33]);
    assert_eq!(KeyId::parse(&id.to_string()), Some(id));
    let text = id.to_string();
    for wrong in [
        "",
        "k4.lid.",
        &text[..text.len() - 1],
        &format!("{text}A"),
        &text.replace("k4.lid", "k4.pid"),
    ] {
        assert_eq!(KeyId::parse(wrong), None, "{wrong}");
    }
}
