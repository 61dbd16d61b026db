//! The decision over a refresh token: a table of verdicts and of the overlaps between their rows,
//! and a comparison with a transcription of the protocol's table over a grid of cases.

use uuid::Uuid;

use super::*;

const GRACE: i64 = 10_000;
const WINDOW: i64 = 24 * 3_600_000;

/// When the current generation was made.
const ROTATED: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// The current generation.
const CURRENT: u32 = 5;

const USER: UserId = UserId(Uuid::from_u128(1));
const STRANGER: UserId = UserId(Uuid::from_u128(2));
const SESSION: SessionId = SessionId(Uuid::from_u128(3));

/// What the presented secret has been found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Current,
    Parent,
    Nothing,
}

/// One situation. Times are in milliseconds, counted from the rotation.
#[derive(Clone, Copy, Debug)]
struct Scene {
    generation: u32,
    found: Found,
    /// On the steady clock.
    age: i64,
    confirmed: Option<i64>,
    /// On the wall clock: what is left until the session goes idle, and until it is over.
    idle_in: i64,
    over_in: i64,
    known: bool,
    ended: bool,
    user_is_active: bool,
    user: UserId,
    grace: i64,
    window: i64,
}

const fn presented(generation: u32, found: Found) -> Scene {
    Scene {
        generation,
        found,
        age: 0,
        confirmed: None,
        idle_in: 1,
        over_in: 1,
        known: true,
        ended: false,
        user_is_active: true,
        user: USER,
        grace: GRACE,
        window: WINDOW,
    }
}

/// The current token.
const fn current() -> Scene {
    presented(CURRENT, Found::Current)
}

/// The token before it.
const fn parent() -> Scene {
    presented(CURRENT - 1, Found::Parent)
}

/// The token before that one. Nothing can be proven about it.
const fn ancestor() -> Scene {
    presented(CURRENT - 2, Found::Nothing)
}

impl Scene {
    const fn age(self, age: i64) -> Self {
        Self { age, ..self }
    }

    const fn confirmed(self, after: i64) -> Self {
        Self { confirmed: Some(after), ..self }
    }

    const fn idle_in(self, idle_in: i64) -> Self {
        Self { idle_in, ..self }
    }

    const fn over_in(self, over_in: i64) -> Self {
        Self { over_in, ..self }
    }

    const fn ended(self) -> Self {
        Self { ended: true, ..self }
    }

    const fn unknown(self) -> Self {
        Self { known: false, ..self }
    }

    const fn user_gone(self) -> Self {
        Self { user_is_active: false, ..self }
    }

    const fn of(self, user: UserId) -> Self {
        Self { user, ..self }
    }

    const fn strict(self) -> Self {
        Self { grace: 0, ..self }
    }

    const fn window(self, window: i64) -> Self {
        Self { window, ..self }
    }

    fn judge(self) -> Verdict {
        // The wall clock is far from the steady one: each has its own part in the decision.
        let wall = Timestamp::from_millis(7_000_000_000_000);
        let session = Session {
            confirmed_at: self.confirmed.map(|after| shifted(ROTATED, after)),
            expires_at: shifted(wall, self.idle_in),
            ends_at: shifted(wall, self.over_in),
            ended: self.ended.then_some((wall, EndReason::Logout)),
            ..stored()
        };
        let secret = Secret::from_bytes([0; 32]);
        let proof = match self.found {
            Found::Current => Proof::Current,
            Found::Parent => Proof::Parent(secret.clone()),
            Found::Nothing => Proof::Nothing,
        };
        let presented = Presented {
            user: self.user,
            session: SESSION,
            generation: Generation(self.generation),
            secret,
        };
        let case = Case {
            session: self.known.then_some(&session),
            user_is_active: self.user_is_active,
            presented: &presented,
            proof: &proof,
            now: Now { wall, steady: shifted(ROTATED, self.age) },
        };
        judge(&case, &self.policy())
    }

    fn policy(self) -> SessionPolicy {
        SessionPolicy {
            refresh_token_ttl: Duration::from_secs(30 * 86_400),
            session_max_age: Duration::from_secs(180 * 86_400),
            max_sessions_per_user: 50,
            refresh_grace: Duration::from_millis(self.grace.unsigned_abs()),
            lost_response_window: Duration::from_millis(self.window.unsigned_abs()),
            reuse_policy: ReusePolicy::User,
        }
    }
}

/// The row, as the rotation left it.
fn stored() -> Session {
    Session {
        id: SESSION,
        user_id: USER,
        created_at: ROTATED,
        generation: Generation(CURRENT),
        secret_hash: LookupHash([0; 32]),
        salt: Salt([0; 32]),
        key_id: KeyId([0; 33]),
        rotated_at: ROTATED,
        confirmed_at: None,
        expires_at: ROTATED,
        ends_at: ROTATED,
        last_used_at: ROTATED,
        client: Client::default(),
        ended: None,
    }
}

fn shifted(from: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(from.as_millis() + millis)
}

fn check(table: &[(&str, Scene, Verdict)]) {
    for (name, scene, expected) in table {
        assert_eq!(scene.judge(), *expected, "{name}");
    }
}

#[test]
fn invalid() {
    use Verdict::Invalid;
    use Why::{Ended, Expired, Unknown, UserGone};
    check(&[
        ("unknown session", current().unknown(), Invalid(Unknown)),
        ("ended session", current().ended(), Invalid(Ended)),
        ("a moment before it goes idle", current().idle_in(1), Verdict::Rotate),
        ("idle, exactly", current().idle_in(0), Invalid(Expired)),
        ("idle since a moment", current().idle_in(-1), Invalid(Expired)),
        ("a moment before it is over", current().over_in(1), Verdict::Rotate),
        ("over, exactly", current().over_in(0), Invalid(Expired)),
        ("over since a moment", current().over_in(-1), Invalid(Expired)),
        ("disabled user", current().user_gone(), Invalid(UserGone)),
    ]);
}

#[test]
fn invalid_goes_before_everything_else() {
    use Verdict::Invalid;
    use Why::{Ended, Expired, Unknown, UserGone};
    let forged = presented(CURRENT, Found::Nothing);
    let reused = parent().confirmed(0).age(WINDOW);
    let lost = parent().age(WINDOW + 1);
    check(&[
        ("ended, although reused", reused.ended(), Invalid(Ended)),
        ("idle, although reused", reused.idle_in(0), Invalid(Expired)),
        ("over, although reused", reused.over_in(0), Invalid(Expired)),
        ("ended, although foreign", forged.ended(), Invalid(Ended)),
        ("idle, although foreign", forged.idle_in(0), Invalid(Expired)),
        ("ended, although lost", lost.ended(), Invalid(Ended)),
        ("idle, although lost", lost.idle_in(0), Invalid(Expired)),
        ("ended, although to be retried", parent().ended(), Invalid(Ended)),
        ("idle, although raced", parent().confirmed(0).idle_in(0), Invalid(Expired)),
        ("ended, although late", ancestor().ended(), Invalid(Ended)),
        ("ended, in strict mode", parent().strict().ended(), Invalid(Ended)),
        ("ended rather than idle", current().ended().idle_in(0), Invalid(Ended)),
        ("disabled user of a reused token", reused.user_gone(), Invalid(UserGone)),
        ("disabled user of a foreign token", forged.user_gone(), Invalid(UserGone)),
        ("disabled user of an ended session", current().ended().user_gone(), Invalid(UserGone)),
        (
            "disabled user of an expired session",
            current().idle_in(0).user_gone(),
            Invalid(UserGone),
        ),
        ("deleted user", current().unknown().user_gone(), Invalid(UserGone)),
        ("unknown rather than anything of the row", reused.unknown().ended(), Invalid(Unknown)),
    ]);
}

#[test]
fn rotate() {
    check(&[
        ("the current token at once", current(), Verdict::Rotate),
        ("long after the window", current().age(10 * WINDOW), Verdict::Rotate),
        ("confirmed", current().confirmed(0).age(WINDOW), Verdict::Rotate),
        ("in strict mode", current().strict(), Verdict::Rotate),
        ("without a window", current().window(0), Verdict::Rotate),
        ("made in the future", current().age(-1), Verdict::Rotate),
    ]);
}

#[test]
fn foreign() {
    use Found::{Current, Nothing, Parent};
    use Verdict::Foreign;
    check(&[
        ("current, wrong secret", presented(CURRENT, Nothing), Foreign),
        ("parent, wrong secret", presented(CURRENT - 1, Nothing), Foreign),
        (
            "parent, wrong secret, long ago",
            presented(CURRENT - 1, Nothing).age(10 * WINDOW),
            Foreign,
        ),
        ("parent, wrong secret, confirmed", presented(CURRENT - 1, Nothing).confirmed(0), Foreign),
        ("current, but proven as a parent", presented(CURRENT, Parent), Foreign),
        ("parent, but proven as current", presented(CURRENT - 1, Current), Foreign),
        ("from the future", presented(CURRENT + 1, Nothing), Foreign),
        ("from the far future", presented(u32::MAX, Nothing), Foreign),
        ("from the future, as if proven", presented(CURRENT + 1, Current), Foreign),
        ("somebody else's parent", parent().of(STRANGER), Foreign),
        ("somebody else's ancestor", ancestor().of(STRANGER), Foreign),
        ("somebody else's, long ago", parent().of(STRANGER).confirmed(0).age(WINDOW), Foreign),
    ]);
}

#[test]
fn foreign_goes_before_reuse_in_strict_mode() {
    let forged = presented(CURRENT - 1, Found::Nothing).strict();
    check(&[
        ("wrong secret", forged, Verdict::Foreign),
        ("somebody else's", ancestor().of(STRANGER).strict(), Verdict::Foreign),
        ("from the future", presented(CURRENT + 1, Found::Nothing).strict(), Verdict::Foreign),
    ]);
}

#[test]
fn strict_mode_knows_neither_retry_nor_race_nor_late() {
    check(&[
        ("unconfirmed parent at once", parent().strict(), Verdict::Reuse),
        ("confirmed parent at once", parent().confirmed(0).strict(), Verdict::Reuse),
        ("unconfirmed parent past the window", parent().age(WINDOW + 1).strict(), Verdict::Reuse),
        ("ancestor at once", ancestor().strict(), Verdict::Reuse),
        ("parent from the future", parent().age(-1).strict(), Verdict::Reuse),
    ]);
}

#[test]
fn retry_until_the_window_closes_or_the_successor_is_seen() {
    check(&[
        ("at once", parent(), Verdict::Retry),
        ("within the grace, although also a race", parent().age(GRACE), Verdict::Retry),
        ("past the grace", parent().age(GRACE + 1), Verdict::Retry),
        ("at the end of the window, exactly", parent().age(WINDOW), Verdict::Retry),
        ("a moment later", parent().age(WINDOW + 1), Verdict::Lost),
        ("at the end, but confirmed long ago", parent().confirmed(0).age(WINDOW), Verdict::Reuse),
        ("a negative age is zero", parent().age(-5 * WINDOW), Verdict::Retry),
    ]);
}

#[test]
fn race_within_the_grace_after_rotation_or_confirmation() {
    let late_confirmation = parent().confirmed(WINDOW);
    check(&[
        ("confirmed at once", parent().confirmed(0), Verdict::Race),
        ("at the end of the grace, exactly", parent().confirmed(0).age(GRACE), Verdict::Race),
        ("a moment later", parent().confirmed(0).age(GRACE + 1), Verdict::Reuse),
        ("counted from a late confirmation", late_confirmation.age(WINDOW + GRACE), Verdict::Race),
        ("a moment later than that", late_confirmation.age(WINDOW + GRACE + 1), Verdict::Reuse),
        (
            "a confirmation older than the rotation",
            parent().confirmed(-5_000).age(GRACE),
            Verdict::Race,
        ),
        ("a moment later than that", parent().confirmed(-5_000).age(GRACE + 1), Verdict::Reuse),
        ("confirmed in the future", parent().confirmed(WINDOW).age(GRACE + 1), Verdict::Race),
        ("a negative age is zero", parent().confirmed(0).age(-WINDOW), Verdict::Race),
    ]);
}

#[test]
fn a_window_shorter_than_the_grace_leaves_the_race() {
    let no_window = parent().window(0);
    check(&[
        ("no window, at once", no_window, Verdict::Retry),
        ("no window, within the grace", no_window.age(1), Verdict::Race),
        ("no window, at the end of the grace", no_window.age(GRACE), Verdict::Race),
        ("no window, past the grace", no_window.age(GRACE + 1), Verdict::Lost),
        ("half a window", parent().window(GRACE / 2).age(GRACE / 2), Verdict::Retry),
        ("past half a window", parent().window(GRACE / 2).age(GRACE / 2 + 1), Verdict::Race),
    ]);
}

#[test]
fn late_within_the_grace_reuse_after_it() {
    let oldest = presented(1, Found::Nothing);
    check(&[
        ("at once", ancestor(), Verdict::Late),
        ("at the end of the grace, exactly", ancestor().age(GRACE), Verdict::Late),
        ("a moment later", ancestor().age(GRACE + 1), Verdict::Reuse),
        ("the window is for parents only", ancestor().age(WINDOW), Verdict::Reuse),
        ("a confirmation changes nothing", ancestor().confirmed(0).age(GRACE), Verdict::Late),
        (
            "nor does a later one prolong it",
            ancestor().confirmed(GRACE).age(GRACE + 1),
            Verdict::Reuse,
        ),
        ("the first token of all", oldest.age(GRACE), Verdict::Late),
        ("the first token of all, later", oldest.age(GRACE + 1), Verdict::Reuse),
        (
            "generation zero, which never was",
            presented(0, Found::Nothing).age(GRACE + 1),
            Verdict::Reuse,
        ),
        ("a negative age is zero", ancestor().age(-WINDOW), Verdict::Late),
    ]);
}

#[test]
fn a_confirmation_of_another_generation_says_nothing() {
    let at = shifted(ROTATED, 7);
    let session = stored();
    let noted = |generation| session.clone().with_confirmation(Some((Generation(generation), at)));
    assert_eq!(noted(CURRENT).confirmed_at, Some(at));
    assert_eq!(noted(CURRENT - 1).confirmed_at, None);
    assert_eq!(noted(CURRENT + 1).confirmed_at, None);
    let written = Session { confirmed_at: Some(ROTATED), ..session };
    let both = written.with_confirmation(Some((Generation(CURRENT), at)));
    assert_eq!(both.confirmed_at, Some(ROTATED), "what is written came first");
}

/// A row of the protocol's table: the verdict, and when it applies.
type Row = (Verdict, fn(&Scene) -> bool);

/// The protocol's table, row by row, in its words.
const TABLE: [Row; 12] = [
    (Verdict::Invalid(Why::UserGone), |s| !s.user_is_active),
    (Verdict::Invalid(Why::Unknown), |s| !s.known),
    (Verdict::Invalid(Why::Ended), |s| s.ended),
    (Verdict::Invalid(Why::Expired), |s| s.idle_in <= 0 || s.over_in <= 0),
    (Verdict::Rotate, |s| s.generation == CURRENT && s.found == Found::Current),
    (Verdict::Foreign, |s| {
        let mismatch = match s.generation {
            CURRENT => s.found != Found::Current,
            PARENT => s.found != Found::Parent,
            _ => false,
        };
        mismatch || s.generation > CURRENT || s.user != USER
    }),
    (Verdict::Reuse, |s| s.grace == 0 && s.generation < CURRENT),
    (Verdict::Retry, |s| parent_verified(s) && s.confirmed.is_none() && age(s, 0) <= s.window),
    (Verdict::Race, |s| parent_verified(s) && age(s, s.confirmed.unwrap_or(0).max(0)) <= s.grace),
    (Verdict::Lost, |s| parent_verified(s) && s.confirmed.is_none()),
    (Verdict::Late, |s| s.generation < PARENT && age(s, 0) <= s.grace),
    (Verdict::Reuse, |s| s.generation < CURRENT),
];

const PARENT: u32 = CURRENT - 1;

fn parent_verified(scene: &Scene) -> bool {
    scene.generation == PARENT && scene.found == Found::Parent
}

/// How long ago `since` was; a negative age counts as zero.
fn age(scene: &Scene, since: i64) -> i64 {
    (scene.age - since).max(0)
}

fn by_the_table(scene: &Scene) -> Option<Verdict> {
    TABLE.iter().find(|(_, applies)| applies(scene)).map(|(verdict, _)| *verdict)
}

#[test]
fn agrees_with_the_protocols_table_on_a_grid() {
    let mut seen = std::collections::HashSet::new();
    for_each_scene(|scene| {
        let expected = by_the_table(&scene);
        assert_eq!(Some(scene.judge()), expected, "{scene:?}");
        seen.insert(format!("{expected:?}"));
    });
    assert_eq!(seen.len(), 11, "a verdict is never reached: {seen:?}");
}

fn for_each_scene(mut visit: impl FnMut(Scene)) {
    let confirmations = [None, Some(-1), Some(0), Some(GRACE), Some(WINDOW), Some(2 * WINDOW)];
    let mut ages = vec![-WINDOW, -1, 0, 1];
    for limit in [GRACE, 2 * GRACE, WINDOW, WINDOW + GRACE] {
        ages.extend([limit - 1, limit, limit + 1]);
    }
    for generation in CURRENT - 3..=CURRENT + 2 {
        for found in [Found::Current, Found::Parent, Found::Nothing] {
            for confirmed in confirmations {
                for &age in &ages {
                    for bits in 0..1_u32 << 8 {
                        let is = |bit: u32| bits >> bit & 1 == 1;
                        visit(Scene {
                            generation,
                            found,
                            age,
                            confirmed,
                            idle_in: i64::from(!is(0)),
                            over_in: i64::from(!is(1)),
                            known: !is(2),
                            ended: is(3),
                            user_is_active: !is(4),
                            user: if is(5) { STRANGER } else { USER },
                            grace: if is(6) { 0 } else { GRACE },
                            window: if is(7) { 0 } else { WINDOW },
                        });
                    }
                }
            }
        }
    }
}
