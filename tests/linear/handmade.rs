//! The checker on histories made by hand: those that must not pass, and those that must.

use uuid::Uuid;

use super::history::History;
use super::model::{Answer, Blast, Rules, Step, Token};

const RULES: Rules = Rules { grace: 10, lost_response_window: 60, reuse: Blast::User };
const STRICT: Rules = Rules { grace: 0, ..RULES };

/// The readings between which a call was under way, and its steps.
type Call = (usize, usize, Vec<Step>);

/// The token of a generation of the one session.
fn token(generation: u32) -> Token {
    Token { session: Uuid::from_u128(1), generation, secret: u64::from(generation) }
}

fn refresh(presented: u32, answer: Answer) -> Vec<Step> {
    vec![Step::Refresh { presented: token(presented), answer }]
}

/// A refresh that is given the right successor.
fn turn(presented: u32) -> Vec<Step> {
    refresh(presented, Answer::Issued(token(presented + 1)))
}

fn sign_in() -> Vec<Step> {
    vec![Step::SignIn { replaces: None, issued: token(1) }]
}

fn guard(generation: u32, admitted: bool) -> Step {
    Step::Guard { shown: token(generation), admitted }
}

fn logout() -> Vec<Step> {
    vec![Step::Logout { session: token(1).session }]
}

fn revoke(session: u128) -> Step {
    Step::Revoke { session: Uuid::from_u128(session), found: true }
}

/// One after the other, behind a sign-in.
fn in_turn(calls: impl IntoIterator<Item = Vec<Step>>) -> Vec<Call> {
    let calls = std::iter::once(sign_in()).chain(calls);
    (0..).step_by(2).zip(calls).map(|(began, steps)| (began, began + 1, steps)).collect()
}

/// All at once, behind a sign-in.
fn at_once(calls: impl IntoIterator<Item = Vec<Step>>) -> Vec<Call> {
    let calls = (2..).zip(calls).map(|(began, steps)| (began, began + 100, steps));
    std::iter::once((0, 1, sign_in())).chain(calls).collect()
}

/// What came after all of `first`.
fn then(mut first: Vec<Call>, next: impl IntoIterator<Item = Vec<Step>>) -> Vec<Call> {
    first.extend((200..).step_by(2).zip(next).map(|(began, steps)| (began, began + 1, steps)));
    first
}

fn passes(calls: &[Call], rules: &Rules) -> bool {
    let mut history = History::default();
    for (began, ended, steps) in calls {
        history.add(*began, *ended, steps);
    }
    history.check(rules).is_ok()
}

#[test]
fn what_cannot_have_happened_is_rejected() {
    let fork = Answer::Issued(Token { secret: 99, ..token(2) });
    let wait = |seconds| vec![Step::Wait(seconds)];
    let seen = |generation| vec![guard(generation, true)];
    for (what, calls) in [
        ("two successors of one generation", at_once([turn(1), refresh(1, fork)])),
        ("a retry that is given another successor", in_turn([turn(1), refresh(1, fork)])),
        ("a stale read accepted again", in_turn([turn(1), turn(2), turn(1)])),
        ("a parent accepted beyond the grace", in_turn([turn(1), seen(2), wait(11), turn(1)])),
        ("a rotation that skips one", in_turn([refresh(1, Answer::Issued(token(3)))])),
        ("a session that outlives its logout", in_turn([logout(), turn(1)])),
        ("an access token that outlives it", in_turn([logout(), vec![guard(1, true)]])),
        (
            "a rotation that brings an ended session back",
            then(at_once([logout(), turn(1)]), [turn(2)]),
        ),
        ("a session that ends by itself", in_turn([vec![guard(1, false)]])),
        ("an accusation within the grace", in_turn([turn(1), refresh(1, Answer::Reused)])),
        (
            "an accusation before the answer was used",
            in_turn([turn(1), wait(11), refresh(1, Answer::Reused)]),
        ),
        ("a reuse that ends nothing", {
            let reused = refresh(1, Answer::Reused);
            in_turn([turn(1), seen(2), wait(11), reused, turn(2)])
        }),
        (
            "late, but overtaken only afterwards",
            in_turn([turn(1), refresh(1, Answer::Late), turn(2)]),
        ),
        ("a confirmation that counts for the next generation", {
            let accused = refresh(2, Answer::Reused);
            in_turn([turn(1), seen(2), turn(2), wait(11), accused])
        }),
        ("an end as lost although the answer had been used", {
            in_turn([turn(1), wait(61), seen(2), refresh(1, Answer::Invalid)])
        }),
        ("an access token that outlives an end as lost", {
            in_turn([turn(1), wait(61), refresh(1, Answer::Invalid), seen(2)])
        }),
        ("an access token that is let in while its session ends as lost", {
            let lost = refresh(1, Answer::Invalid);
            vec![
                (0, 1, sign_in()),
                (2, 3, turn(1)),
                (4, 5, wait(61)),
                (6, 9, lost),
                (7, 8, seen(2)),
            ]
        }),
        ("one session revoked twice", at_once([vec![revoke(1)], vec![revoke(1)]])),
        (
            "a guard that lets in after the effect",
            at_once([vec![guard(1, true), revoke(1)], vec![guard(1, true), revoke(1)]]),
        ),
    ] {
        assert!(!passes(&calls, &RULES), "accepted: {what}");
    }
    assert!(!passes(&at_once([turn(1), turn(1)]), &STRICT), "accepted: two winners in strict mode");
}

#[test]
fn what_can_have_happened_is_accepted() {
    let wait = |seconds| vec![Step::Wait(seconds)];
    let seen = |generation| vec![guard(generation, true)];
    let other = Token { session: Uuid::from_u128(2), ..token(1) };
    let second = vec![Step::SignIn { replaces: None, issued: other }];
    let over = vec![Step::SignIn { replaces: Some(token(1).session), issued: other }];
    for (what, calls) in [
        ("nothing", Vec::new()),
        ("tabs that are given the same successor", at_once([turn(1), turn(1), turn(1)])),
        ("a logout in the middle of a refresh", at_once([logout(), turn(1)])),
        (
            "and one that was faster than it",
            then(at_once([logout(), turn(1)]), [refresh(2, Answer::Invalid)]),
        ),
        ("overtaken while under way", at_once([refresh(1, Answer::Late), turn(2), turn(1)])),
        ("a lost response", in_turn([turn(1), wait(60), turn(1)])),
        ("one that was lost for too long", {
            let lost = refresh(1, Answer::Invalid);
            in_turn([turn(1), wait(61), lost, refresh(2, Answer::Invalid)])
        }),
        ("a thief", {
            let reused = refresh(1, Answer::Reused);
            in_turn([turn(1), seen(2), wait(11), reused, vec![guard(2, false)]])
        }),
        (
            "an old access token that confirms nothing",
            in_turn([turn(1), seen(1), wait(11), turn(1)]),
        ),
        ("a grace that is counted from the confirmation", {
            in_turn([turn(1), wait(50), seen(2), wait(10), turn(1)])
        }),
        ("a revocation by a session that ends under it", {
            // Let in, signed out, the other still there, and then ended.
            let revocation = vec![guard(1, true), revoke(2)];
            let witness = vec![Step::Guard { shown: other, admitted: true }];
            vec![
                (0, 1, sign_in()),
                (2, 3, second),
                (4, 20, revocation),
                (5, 6, logout()),
                (7, 8, witness),
            ]
        }),
        ("a login over another session", in_turn([over, refresh(1, Answer::Invalid)])),
    ] {
        assert!(passes(&calls, &RULES), "rejected: {what}");
    }
    let loser = refresh(1, Answer::Reused);
    assert!(passes(&at_once([turn(1), loser]), &STRICT), "rejected: strict mode with two tabs");
}
