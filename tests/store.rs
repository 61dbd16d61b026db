//! The store: what ends and what lives, what it says of access tokens, and what it does when the
//! database does not answer.

mod common;

use common::{ACCESS_TTL, DAY, HOUR, MINUTE, PASSWORD_HASH, POLICY, SECOND, World, root};
use doorward::crypto::keyring::Keyring;
use doorward::domain::account::Email;
use doorward::domain::claims::{Identity, Role};
use doorward::domain::id::{Generation, SessionId, UserId};
use doorward::domain::session::{Client, EndReason, ReusePolicy, SessionPolicy};
use doorward::fault::FaultKind;
use doorward::store::{KeyName, NewUser, Refused, RetiredKey, Standing, UserChange};
use uuid::Uuid;

#[tokio::test]
async fn the_least_recently_used_session_gives_way_counting_what_is_not_written_yet() {
    let world = World::new(SessionPolicy { max_sessions_per_user: 3, ..POLICY });
    let ana = world.user("ana@example.com").await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let one = world.sign_in(&ana).await;
        world.store.note_use(&one.claims(world.now()), world.now());
        world.store.write_notes(world.now()).await.unwrap();
        held.push(one);
        world.clock.advance(10 * SECOND);
    }
    // The oldest is in use; that is too recent to be worth writing down.
    world.store.note_use(&held[0].claims(world.now()), world.now());
    assert_eq!(world.live(ana.id).await, [0, 2, 1].map(|index| held[index].session.id));

    let fourth = world.sign_in(&ana).await;
    let left = [fourth.session.id, held[0].session.id, held[2].session.id];
    assert_eq!(world.live(ana.id).await, left);
    assert_eq!(world.store.standing(&held[1].claims(world.now())), Standing::Ended);
    assert_eq!(world.count("SELECT count(*) FROM sessions WHERE end_reason = 'displaced'"), 1);
}

#[tokio::test]
async fn only_live_sessions_of_the_same_user_take_up_room() {
    let world = World::new(SessionPolicy { max_sessions_per_user: 2, ..POLICY });
    let (ana, ben) = (world.user("ana@example.com").await, world.user("ben@example.com").await);
    let bens = world.sign_in(&ben).await;
    let ended = world.sign_in(&ana).await;
    world
        .store
        .end_session(ended.session.id, EndReason::Logout, Client::default(), world.now())
        .await
        .unwrap();
    let (first, second) = (world.sign_in(&ana).await, world.sign_in(&ana).await);
    assert_eq!(world.live(ana.id).await.len(), 2);

    // Once they are expired they need not be displaced.
    world.clock.advance(POLICY.refresh_token_ttl);
    world.sign_in(&ana).await;
    for held in [&first, &second, &bens] {
        assert_eq!(world.store.standing(&held.claims(world.now())), Standing::Good);
    }
}

#[tokio::test]
async fn a_session_that_ends_takes_its_access_tokens_with_it_at_once() {
    let mut world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let (here, there) = (world.sign_in(&ana).await, world.sign_in(&ana).await);
    let end = |id| world.store.end_session(id, EndReason::Logout, Client::default(), world.now());
    assert!(end(here.session.id).await.unwrap());
    assert!(!end(here.session.id).await.unwrap(), "it is over already");
    assert_eq!(world.store.standing(&here.claims(world.now())), Standing::Ended);
    assert_eq!(world.store.standing(&there.claims(world.now())), Standing::Good);
    assert_eq!(world.rotate(here.token()).await.err(), Some(Refused::Invalid));

    world.clock.advance(ACCESS_TTL);
    world.restart();
    assert_eq!(world.store.standing(&here.claims(world.now())), Standing::Ended, "after a restart");
    assert_eq!(world.store.standing(&there.claims(world.now())), Standing::Good);
}

#[tokio::test]
async fn an_ended_session_is_remembered_however_long_nobody_followed() {
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let held = world.sign_in(&ana).await;
    world.clock.advance(DAY);
    let claims = held.claims(world.now());
    world
        .store
        .end_session(held.session.id, EndReason::Logout, Client::default(), world.now())
        .await
        .unwrap();
    for _ in 0..2 {
        world.store.follow(world.now()).await.unwrap();
        assert_eq!(world.store.standing(&claims), Standing::Ended);
    }
    world.clock.advance(ACCESS_TTL);
    world.store.follow(world.now()).await.unwrap();
    assert_eq!(world.store.standing(&claims), Standing::Ended, "as long as the token lives");
    world.clock.advance(HOUR);
    world.store.follow(world.now()).await.unwrap();
    assert_eq!(world.store.standing(&claims), Standing::Good, "and then it is forgotten");
}

#[tokio::test]
async fn an_ended_session_is_remembered_when_the_clock_is_set_back() {
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let held = world.sign_in(&ana).await;
    let claims = held.claims(world.now());
    let ended_at = world.now().wall;
    world
        .store
        .end_session(held.session.id, EndReason::Logout, Client::default(), world.now())
        .await
        .unwrap();
    world.store.follow(world.now()).await.unwrap();
    world.clock.set_wall(ended_at.minus(HOUR));
    world.clock.advance(HOUR);
    world.store.follow(world.now()).await.unwrap();
    assert!(claims.is_current(world.now().wall), "the token is good once more");
    assert_eq!(world.store.standing(&claims), Standing::Ended);
}

#[tokio::test]
async fn an_ended_session_is_remembered_as_long_as_a_token_that_was_made_while_the_clock_was_ahead()
{
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let right = world.now().wall;
    world.clock.set_wall(right.plus(HOUR));
    let held = world.sign_in(&ana).await;
    let claims = held.claims(world.now());

    world.clock.set_wall(right);
    world
        .store
        .end_session(held.session.id, EndReason::Logout, Client::default(), world.now())
        .await
        .unwrap();
    for _ in 0..61 {
        world.clock.advance(MINUTE);
        world.store.follow(world.now()).await.unwrap();
    }
    assert!(claims.is_current(world.now().wall), "its time has come only now");
    assert_eq!(world.store.standing(&claims), Standing::Ended);
}

#[tokio::test]
async fn a_start_with_a_clock_that_is_ahead_forgets_no_ended_session() {
    let mut world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let held = world.sign_in(&ana).await;
    let claims = held.claims(world.now());
    world
        .store
        .end_session(held.session.id, EndReason::Logout, Client::default(), world.now())
        .await
        .unwrap();
    world.clock.advance(MINUTE);

    let right = world.now().wall;
    world.clock.set_wall(right.plus(HOUR));
    world.restart();
    world.clock.set_wall(right);
    world.store.follow(world.now()).await.unwrap();
    assert!(claims.is_current(world.now().wall), "the token is still good by its times");
    assert_eq!(world.store.standing(&claims), Standing::Ended);
}

#[tokio::test]
async fn a_changed_role_makes_older_access_tokens_stale() {
    let mut world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let held = world.sign_in(&ana).await;
    let before = held.claims(world.now());
    let changed =
        world.store.change_user(ana.id, UserChange::Role(Role::Admin), world.now()).await.unwrap();
    assert_eq!(changed.map(|user| user.role), Some(Role::Admin));

    let mut after = before.clone();
    after.identity = Identity { role: Role::Admin, ..before.identity.clone() };
    assert_eq!(world.store.standing(&before), Standing::Stale);
    assert_eq!(world.store.standing(&after), Standing::Good);
    world.restart();
    assert_eq!(world.store.standing(&before), Standing::Stale, "after a restart");
    assert_eq!(world.store.standing(&after), Standing::Good);
    let rotated = world.rotate(held.token()).await.unwrap();
    assert_eq!(
        rotated.claims(world.now()).identity,
        after.identity,
        "a rotation brings the new role"
    );
}

/// The last one could not be changed.
#[expect(clippy::unwrap_used, reason = "a test may panic")]
async fn another_admin(world: &World) {
    let root = world.user("root@example.com").await;
    let role = UserChange::Role(Role::Admin);
    world.store.change_user(root.id, role, world.now()).await.unwrap();
}

/// Between two looks at the database this process changes a user, and then another one does.
#[tokio::test]
async fn of_two_changes_the_later_one_counts_whichever_process_makes_it() {
    let world = World::new(POLICY);
    another_admin(&world).await;
    let ana = world.user("ana@example.com").await;
    let user = world.sign_in(&ana).await.claims(world.now());
    let mut admin = user.clone();
    admin.identity.role = Role::Admin;
    let other = world.second_store();
    for (first, second, last) in
        [(&world.store, &other, Role::User), (&other, &world.store, Role::Admin)]
    {
        let (before, good, stale) = match last {
            Role::User => (Role::Admin, &user, &admin),
            Role::Admin => (Role::User, &admin, &user),
        };
        // So that each of them makes a difference.
        second.change_user(ana.id, UserChange::Role(last), world.now()).await.unwrap();
        world.store.follow(world.now()).await.unwrap();
        first.change_user(ana.id, UserChange::Role(before), world.now()).await.unwrap();
        second.change_user(ana.id, UserChange::Role(last), world.now()).await.unwrap();
        for _ in 0..2 {
            world.store.follow(world.now()).await.unwrap();
            assert_eq!(world.store.standing(good), Standing::Good, "{last:?}");
            assert_eq!(world.store.standing(stale), Standing::Stale, "{last:?}");
        }
    }
}

#[tokio::test]
async fn a_password_change_and_a_disabled_account_end_all_sessions() {
    let password = UserChange::PasswordHash("$argon2id$other".to_owned());
    for (change, refused) in
        [(password, Refused::Invalid), (UserChange::Disable, Refused::UserGone)]
    {
        let world = World::new(POLICY);
        let (ana, ben) = (world.user("ana@example.com").await, world.user("ben@example.com").await);
        let (hers, his) = (world.sign_in(&ana).await, world.sign_in(&ben).await);
        world.store.change_user(ana.id, change, world.now()).await.unwrap();
        assert_eq!(world.rotate(hers.token()).await.err(), Some(refused));
        assert_eq!(world.store.standing(&hers.claims(world.now())), Standing::Ended);
        assert!(world.try_sign_in(ana.id).await.is_none(), "checked against what the account was");
        assert!(world.rotate(his.token()).await.is_ok());
    }
}

#[tokio::test]
async fn a_deleted_account_takes_its_sessions_along() {
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let held = world.sign_in(&ana).await;
    world.store.change_user(ana.id, UserChange::Delete, world.now()).await.unwrap();
    assert_eq!(world.store.standing(&held.claims(world.now())), Standing::Ended);
    assert_eq!(world.rotate(held.token()).await.err(), Some(Refused::UserGone));
    assert_eq!(world.count("SELECT count(*) FROM sessions"), 0);
    assert_eq!(world.count("SELECT count(*) FROM audit WHERE event = 'user_deleted'"), 1);
    let again = world.store.change_user(ana.id, UserChange::Enable, world.now()).await.unwrap();
    assert!(again.is_none(), "there is no such user");
}

#[tokio::test]
async fn a_sign_in_replaces_the_hash_only_of_the_password_it_was_checked_against() {
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let stored = || async {
        let account = world.store.find_account_by_email(ana.email.clone()).await.unwrap();
        account.map(|account| account.password_hash)
    };
    let start = async |checked: &str| {
        let (new, _) = world.new_session();
        let (checked, better) = (checked.to_owned(), Some("at new costs".to_owned()));
        world.store.start_session(ana.id, checked, better, &new, world.now()).await.unwrap()
    };
    assert!(start("changed in between").await.unwrap().is_none());
    assert_eq!(stored().await.as_deref(), Some(PASSWORD_HASH));
    assert!(start(PASSWORD_HASH).await.unwrap().is_some());
    assert_eq!(stored().await.as_deref(), Some("at new costs"));
    assert_eq!(world.live(ana.id).await.len(), 1);
}

#[tokio::test]
async fn a_sign_in_ends_the_session_whose_cookie_it_was_sent() {
    let world = World::new(POLICY);
    let (ana, ben) = (world.user("ana@example.com").await, world.user("ben@example.com").await);
    let (old, other) = (world.sign_in(&ana).await, world.sign_in(&ana).await);
    let (mut new, _) = world.new_session();
    new.replaces = Some(old.session.id);
    world
        .store
        .start_session(ben.id, PASSWORD_HASH.to_owned(), None, &new, world.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(world.live(ana.id).await, [other.session.id]);
    assert_eq!(world.rotate(old.token()).await.err(), Some(Refused::Invalid));
}

#[tokio::test]
async fn a_user_ends_only_sessions_of_their_own() {
    let world = World::new(POLICY);
    let (ana, ben) = (world.user("ana@example.com").await, world.user("ben@example.com").await);
    let (hers, his) = (world.sign_in(&ana).await, world.sign_in(&ben).await);
    let end = |id| world.store.end_session_of(ana.id, id, Client::default(), world.now());
    assert!(!end(his.session.id).await.unwrap());
    assert!(end(hers.session.id).await.unwrap());
    assert!(!end(hers.session.id).await.unwrap(), "not twice");
    assert_eq!(world.live(ben.id).await, [his.session.id]);
    assert_eq!(world.store.keys_in_use(world.now()).await.unwrap().len(), 1);
    assert_eq!(world.store.end_all_sessions(EndReason::Revoked, world.now()).await.unwrap(), 1);
    assert!(world.store.keys_in_use(world.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn reuse_ends_what_the_policy_says() {
    for (reuse_policy, left) in [(ReusePolicy::User, 0), (ReusePolicy::Session, 1)] {
        let world = World::new(SessionPolicy { reuse_policy, ..POLICY });
        let (ana, ben) = (world.user("ana@example.com").await, world.user("ben@example.com").await);
        let (stolen, other, bens) =
            (world.sign_in(&ana).await, world.sign_in(&ana).await, world.sign_in(&ben).await);
        let next = world.rotate(stolen.token()).await.unwrap();
        world.store.note_use(&next.claims(world.now()), world.now());
        world.clock.advance(POLICY.refresh_grace + SECOND);
        assert_eq!(world.rotate(stolen.token()).await.err(), Some(Refused::Reused));
        assert_eq!(world.live(ana.id).await.len(), left, "{reuse_policy:?}");
        assert_eq!(world.rotate(next.token()).await.err(), Some(Refused::Invalid));
        assert_eq!(world.rotate(other.token()).await.is_ok(), left == 1);
        assert!(world.rotate(bens.token()).await.is_ok(), "nobody else pays for it");
        assert_eq!(
            world.count("SELECT count(*) FROM audit WHERE event = 'refresh_token_reused'"),
            1
        );
    }
}

#[tokio::test]
async fn a_sweep_removes_what_is_old_and_nothing_else() {
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let (ended, idle) = (world.sign_in(&ana).await, world.sign_in(&ana).await);
    world
        .store
        .end_session(ended.session.id, EndReason::Logout, Client::default(), world.now())
        .await
        .unwrap();
    let sweep = || world.store.sweep(POLICY.refresh_token_ttl, ACCESS_TTL, world.now());

    world.clock.advance(DAY);
    let live = world.sign_in(&ana).await;
    assert_eq!(sweep().await.unwrap(), 0, "all of it is still of use");
    world.clock.advance(ACCESS_TTL + SECOND);
    assert_eq!(sweep().await.unwrap(), 1, "a revocation that no access token can outlive");

    world.clock.advance(29 * DAY);
    assert_eq!(sweep().await.unwrap(), 1, "the session that ended a refresh token's life ago");
    assert_eq!(world.rotate(ended.token()).await.err(), Some(Refused::Invalid));
    assert_eq!(world.live(ana.id).await, [live.session.id], "the idle one is past use");
    let live = world.rotate(live.token()).await.unwrap();

    world.clock.advance(29 * DAY + 23 * HOUR + 50 * MINUTE);
    assert_eq!(sweep().await.unwrap(), 1, "the session that expired a refresh token's life ago");
    assert_eq!(world.rotate(idle.token()).await.err(), Some(Refused::Invalid));
    assert!(world.rotate(live.token()).await.is_ok());
    assert_eq!(world.count("SELECT count(*) FROM sessions"), 1);
}

#[tokio::test]
async fn a_confirmation_is_seen_before_and_after_it_is_written_and_lost_with_the_process() {
    for (write, survives) in [(true, true), (false, false)] {
        let mut world = World::new(POLICY);
        let ana = world.user("ana@example.com").await;
        let parent = world.sign_in(&ana).await;
        let child = world.rotate(parent.token()).await.unwrap();
        world.store.note_use(&child.claims(world.now()), world.now());
        if write {
            world.store.write_notes(world.now()).await.unwrap();
        }
        world.restart();
        world.clock.advance(POLICY.refresh_grace + SECOND);
        let retried = world.rotate(parent.token()).await;
        assert_eq!(retried.err(), survives.then_some(Refused::Reused));
    }
}

#[tokio::test]
async fn a_clean_stop_writes_every_confirmation() {
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let held = world.sign_in(&ana).await;
    // More than one commit takes along.
    for index in 0..5000 {
        let other = SessionId(Uuid::from_u128(index));
        let claims = common::claims(&ana, other, Generation::FIRST, world.now());
        world.store.note_use(&claims, world.now());
    }
    world.store.note_use(&held.claims(world.now()), world.now());
    world.store.write_notes(world.now()).await.unwrap();
    world.store.close();
    assert_eq!(world.count("SELECT count(*) FROM sessions WHERE confirmed_at IS NOT NULL"), 1);
}

#[tokio::test]
async fn a_confirmation_counts_before_its_turn_to_be_written_comes() {
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let parent = world.sign_in(&ana).await;
    let child = world.rotate(parent.token()).await.unwrap();
    // Far more than one commit takes along.
    for index in 0..50_000 {
        let other = SessionId(Uuid::from_u128(index));
        world
            .store
            .note_use(&common::claims(&ana, other, Generation::FIRST, world.now()), world.now());
    }
    world.store.note_use(&child.claims(world.now()), world.now());
    world.clock.advance(POLICY.refresh_grace + SECOND);
    assert_eq!(world.rotate(parent.token()).await.err(), Some(Refused::Reused));
}

#[tokio::test]
async fn a_clock_that_was_ahead_does_not_freeze_time() {
    let mut world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let parent = world.sign_in(&ana).await;
    world.clock.advance(HOUR);
    let child = world.rotate(parent.token()).await.unwrap();
    world.store.note_use(&child.claims(world.now()), world.now());
    world.store.write_notes(world.now()).await.unwrap();

    world.clock.set_wall(common::beginning());
    world.restart();
    assert!(world.rotate(parent.token()).await.is_ok(), "a row from the future has age zero");
    world.clock.advance(POLICY.refresh_grace);
    assert!(world.rotate(parent.token()).await.is_ok(), "to the end of the grace");
    world.clock.advance(SECOND);
    assert_eq!(world.rotate(parent.token()).await.err(), Some(Refused::Reused));
}

#[tokio::test]
async fn a_database_that_somebody_else_has_locked_is_a_fault_of_the_server() {
    let world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let held = world.sign_in(&ana).await;
    let other = world.sql();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let fault = world.store.rotate(world.rotation(held.token())).await.err();
    assert_eq!(fault.map(|fault| fault.kind()), Some(FaultKind::Unavailable));
    assert_eq!(world.live(ana.id).await, [held.session.id], "readers go on");

    other.execute_batch("ROLLBACK").unwrap();
    let next = world.rotate(held.token()).await.unwrap();
    assert_eq!(next.session.generation, held.session.generation.next());
}

#[tokio::test]
async fn the_audit_trail_is_only_ever_added_to() {
    let world = World::new(POLICY);
    world.user("ana@example.com").await;
    let sql = world.sql();
    for statement in ["UPDATE audit SET event = 'nothing'", "DELETE FROM audit"] {
        let error = sql.execute(statement, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    assert_eq!(world.count("SELECT count(*) FROM audit WHERE event = 'registered'"), 1);
}

#[tokio::test]
async fn a_closed_store_takes_no_writes() {
    let world = World::new(POLICY);
    world.store.probe(world.now()).await.unwrap();
    world.store.close();
    world.store.close();
    let fault = world.store.probe(world.now()).await.err();
    assert_eq!(fault.map(|fault| fault.kind()), Some(FaultKind::Unavailable));
}

#[tokio::test]
async fn a_user_that_was_read_is_forgotten_when_changed_here_or_by_another_process() {
    let world = World::new(POLICY);
    another_admin(&world).await;
    let ana = world.user("ana@example.com").await;
    let other = world.second_store();
    for change in [
        UserChange::Role(Role::Admin),
        UserChange::PasswordHash("$argon2id$another".to_owned()),
        UserChange::Disable,
        UserChange::Enable,
    ] {
        for store in [&world.store, &other] {
            assert!(world.store.find_user(ana.id).await.unwrap().is_some(), "and is remembered");
            world.clock.advance(SECOND);
            let changed = store.change_user(ana.id, change.clone(), world.now()).await.unwrap();
            world.store.follow(world.now()).await.unwrap();
            let (found, changed) = (world.store.find_user(ana.id).await.unwrap(), changed.unwrap());
            assert_eq!(found.unwrap().updated_at, changed.updated_at);
        }
    }
    other.change_user(ana.id, UserChange::Delete, world.now()).await.unwrap();
    world.store.follow(world.now()).await.unwrap();
    assert!(world.store.find_user(ana.id).await.unwrap().is_none());
}

/// Another process may have revoked the key a moment ago.
#[tokio::test]
async fn nothing_is_made_with_a_retired_key() {
    let mut world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let held = world.sign_in(&ana).await;
    let name = |byte| {
        let keys = Keyring::new(&root(byte), &[]).unwrap();
        let set = keys.active();
        KeyName { id: set.ratchet.id, kid: set.public.id().to_owned() }
    };
    world.store.note_keys(vec![name(2), name(1)], world.now()).await.unwrap();
    let other = world.second_store();
    other.retire_key(name(1).id, world.now()).await.unwrap();

    let (new, _) = world.new_session();
    let checked = PASSWORD_HASH.to_owned();
    let started = world.store.start_session(ana.id, checked, None, &new, world.now()).await;
    assert!(matches!(started, Ok(Err(RetiredKey))));
    let unlike = NewUser {
        id: UserId(Uuid::from_u128(1)),
        email: Email::parse("ben@example.com").unwrap(),
        password_hash: PASSWORD_HASH.to_owned(),
        role: Role::User,
        is_verified: false,
    };
    let registered = world.store.register(unlike, new.clone(), world.now()).await;
    assert!(matches!(registered, Ok(Err(RetiredKey))));
    let account = world.store.find_account(ana.id).await.unwrap().unwrap();
    let changed = world.store.change_password(account, "another".to_owned(), new, world.now());
    assert!(matches!(changed.await, Ok(Err(RetiredKey))));
    assert_eq!(world.rotate(held.token()).await.err(), Some(Refused::RetiredKey));
    assert_eq!(world.count("SELECT count(*) FROM sessions WHERE generation = 1"), 1);
    assert_eq!(world.count("SELECT count(*) FROM users"), 1);
    assert_eq!(world.live(ana.id).await, [held.session.id]);

    world.keys = Keyring::new(&root(2), &[root(1)]).unwrap();
    world.rotate(held.token()).await.unwrap();
    world.sign_in(&ana).await;
}

/// A process that has not seen the newest key must not take an honest parent for a foreign token.
#[tokio::test]
async fn without_the_session_s_key_nothing_is_said_of_a_token() {
    let mut world = World::new(POLICY);
    let ana = world.user("ana@example.com").await;
    let parent = world.sign_in(&ana).await;
    let before = std::mem::replace(&mut world.keys, Keyring::new(&root(2), &[root(1)]).unwrap());
    let child = world.rotate(parent.token()).await.unwrap();
    let after = std::mem::replace(&mut world.keys, before);

    for token in [parent.token(), child.token()] {
        assert_eq!(world.rotate(token).await.err(), Some(Refused::UnknownKey));
    }
    assert_eq!(world.count("SELECT count(*) FROM audit WHERE event LIKE 'refresh_token%'"), 0);
    world.keys = after;
    assert_eq!(world.rotate(parent.token()).await.unwrap().session.generation, Generation(2));
    world.rotate(child.token()).await.unwrap();
}
