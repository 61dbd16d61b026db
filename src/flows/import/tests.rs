//! What is read, what is compared, and that users who leave come back the same.

use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::clock::{FakeClock, SystemEntropy};
use crate::domain::time::Timestamp;
use crate::flows::export::export;

const COSTS: Costs = Costs { memory_kib: 8, iterations: 1, parallelism: 1 };
const OURS: &str = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFAo";
const BCRYPT: &str = "$2b$10$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2";
const OTHER: &str = "$2b$10$abcdefghijklmnopqrstuuvYDr2EMiSoiuKls3fUd8ToKeB0k.N0e";

/// An empty installation.
struct Place {
    store: Store,
    clock: FakeClock,
    runtime: Runtime,
    _dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(Timestamp::from_millis(1_800_000_000_000));
        let path = dir.path().join("doorward.db");
        let store = Store::open(&path, Duration::ZERO, clock.now()).unwrap();
        let runtime = Builder::new_current_thread().enable_time().build();
        Self { store, clock, runtime: runtime.unwrap(), _dir: dir }
    }

    fn import(&self, text: &str) -> (Plan, Outcome) {
        let plan = plan(text);
        let parts =
            Parts { store: &self.store, clock: &self.clock, entropy: &SystemEntropy, costs: COSTS };
        let said = self
            .runtime
            .block_on(rehearse(Some((&self.store, self.clock.now())), COSTS, &plan, |_| {}))
            .unwrap();
        let mut last = 0;
        let done = bring_in(&parts, &plan, |done| last = done);
        let done = self.runtime.block_on(done).unwrap();
        assert_eq!(format!("{said:?}"), format!("{done:?}"), "the rehearsal was right");
        assert_eq!(last, plan.candidates.len(), "it goes on to the end");
        (plan, done)
    }

    /// What is stored, whatever an export says of it.
    fn accounts(&self) -> Vec<(User, String)> {
        let accounts = self.runtime.block_on(self.store.list_accounts(None, 1000)).unwrap();
        accounts.into_iter().map(|account| (account.user, account.password_hash)).collect()
    }

    fn export(&self) -> String {
        let mut text = Vec::new();
        let lines = self.runtime.block_on(export(&self.store, &mut text)).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), lines);
        text
    }
}

fn plan(text: &str) -> Plan {
    read(text.as_bytes(), COSTS, |_| {}).unwrap()
}

fn line(email: &str, hash: &str) -> String {
    format!(r#"{{"email":"{email}","password":"{hash}","createdAt":{{"$date":1709164800007}}}}"#)
}

#[test]
fn the_same_again_is_there_already_and_another_is_a_conflict() {
    let place = Place::new();
    let (ana, ben) = (line("ana@example.com", BCRYPT), line("ben@example.com", BCRYPT));
    let file = format!("{ana}\n\n{ben}\n{}\n", line("ANA@example.com", BCRYPT));
    let (plan, outcome) = place.import(&file);
    assert_eq!((plan.lines, plan.refused.len()), (3, 0));
    assert_eq!((outcome.added.users, outcome.already_there), (2, 1), "one line says it again");
    let before = place.export();

    let (_, outcome) = place.import(&file);
    assert_eq!((outcome.added.users, outcome.already_there, outcome.conflicts.len()), (0, 3, 0));
    for (text, differs) in [
        (line("ana@example.com", OTHER), "password"),
        (ana.replace("{\"email", "{\"role\":\"admin\",\"email"), "role"),
        (ana.replace("{\"email", "{\"isVerified\":true,\"email"), "isVerified"),
        (ana.replace("{\"email", "{\"disabledAt\":7,\"email"), "disabledAt"),
        (ana.replace("1709164800007", "1709164800008"), "createdAt"),
        (ana.replace("{\"email", "{\"id\":\"00000000-0000-0000-0000-000000000007\",\"email"), "id"),
        (ana.replace(BCRYPT, ""), "password"),
    ] {
        let text = text.replace("\"password\":\"\",", "");
        let (_, outcome) = place.import(&format!("{ben}\n{text}"));
        let [conflict] = &outcome.conflicts[..] else { panic!("{text}: {outcome:?}") };
        assert_eq!((conflict.line, conflict.email.as_str()), (2, "ana@example.com"));
        assert_eq!(conflict.differs, [differs]);
        assert_eq!((outcome.added.users, outcome.already_there), (0, 1));
    }
    assert_eq!(place.export(), before, "nobody was changed");
}

#[test]
fn an_id_that_somebody_else_has_is_a_conflict() {
    let place = Place::new();
    place.import(&line("ana@example.com", BCRYPT));
    let stolen = place.export().replace("ana@", "eve@");
    let (_, outcome) = place.import(&stolen);
    assert_eq!(outcome.conflicts[0].differs, ["email"]);
    assert_eq!(place.export().lines().count(), 1);
}

/// A file is often brought in again, for those who came meanwhile.
#[test]
fn whoever_has_a_hash_of_ours_by_now_is_there_already() {
    let place = Place::new();
    let [ana, ben] = ["ana@example.com", "ben@example.com"].map(|email| line(email, OURS));
    place.import(&format!("{ana}\n{ben}"));
    let (_, outcome) = place.import(&ana.replace(OURS, BCRYPT));
    assert_eq!((outcome.already_there, outcome.conflicts.len()), (1, 0));
    let without = ana.replace(&format!("\"password\":\"{OURS}\","), "");
    let (plan, outcome) = place.import(&without);
    assert!(plan.candidates[0].record.password.is_none());
    assert_eq!((outcome.already_there, outcome.conflicts.len()), (1, 0));
    let another = ana.replace("BVALG", "BVALH");
    assert_eq!(place.import(&another).1.conflicts[0].differs, ["password"], "both are of ours");
}

#[test]
fn lines_that_cannot_be_taken_are_refused_with_their_numbers() {
    let ana = line("ana@example.com", BCRYPT);
    let id = |email: &str| {
        format!(r#"{{"email":"{email}","id":"00000000-0000-0000-0000-000000000007","x":1}}"#)
    };
    let text = [
        ana.clone(),
        "nonsense".to_owned(),
        line("ben@example.com", "a plain password"),
        line("ana@EXAMPLE.com", OTHER),
        String::new(),
        id("cy@example.com"),
        id("dee@example.com"),
        line("eve@example.com", "$2b$31$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2"),
        line("eve@example.com", BCRYPT),
    ];
    let plan = plan(&format!("\u{feff}{}\r\n", text.join("\r\n")));
    let refused: Vec<_> =
        plan.refused.iter().map(|each| format!("{} {}", each.line, each.why)).collect();
    assert_eq!(
        refused,
        [
            "2 is not JSON (column 2)".to_owned(),
            format!("3 password {}", hasher::HashRefused::Unknown),
            "4 email is that of line 1, which says something else".to_owned(),
            "7 id is that of line 6".to_owned(),
            format!("8 password {}", hasher::HashRefused::TooCostly),
        ]
    );
    let taken: Vec<_> = plan.candidates.iter().map(|candidate| candidate.line).collect();
    assert_eq!((plan.lines, taken), (8, vec![1, 6, 9]));
    assert_eq!(plan.ignored, [("x".to_owned(), 2)].into());
    let not_text = read(&b"\xff\n"[..], COSTS, |_| {}).unwrap();
    assert_eq!(not_text.refused[0].why.to_string(), "is not UTF-8");
}

#[test]
fn one_array_is_no_file_of_lines() {
    for text in ["[\n{\"email\":\"ana@example.com\"}\n]", "  \n [{}]"] {
        let error = read(text.as_bytes(), COSTS, |_| {}).err().unwrap();
        assert!(error.to_string().contains("--jsonArray"), "{error}");
    }
    let endless = std::io::Read::take(std::io::repeat(b' '), u64::MAX);
    let error = read(std::io::BufReader::new(endless), COSTS, |_| {}).err().unwrap();
    assert_eq!(error.to_string(), "line 1 is longer than 64 MiB");
}

#[test]
fn the_id_of_a_user_tells_when_the_account_was_made() {
    let place = Place::new();
    let newer = line("ana@example.com", BCRYPT).replace("1709164800007", "1709164800008");
    place.import(&format!("{newer}\n{}", line("ben@example.com", BCRYPT)));
    let text = place.export();
    assert!(text.find("ben@") < text.find("ana@"), "the oldest first: {text}");
}

/// A user, as a line.
fn any_line() -> impl Strategy<Value = String> {
    let time = || 0_i64..=253_402_300_799_999;
    let password = prop::option::of(prop::sample::select(vec![OURS, BCRYPT, OTHER]));
    (
        "[a-zß-ü]{1,9}[.+_a-z0-9]{0,9}[a-z]@[a-z]{1,9}\\.example",
        (any::<u128>(), any::<bool>(), any::<bool>(), password),
        (prop::option::of(time()), prop::option::of(time()), prop::option::of(time())),
    )
        .prop_filter_map("no address", |(email, (id, admin, is_verified, password), times)| {
            let at = |time: Option<i64>| time.map(Timestamp::from_millis);
            let record = Record {
                id: (id % 2 == 0).then(|| UserId(uuid::Uuid::from_u128(id | 1))),
                email: Email::parse(&email).ok()?,
                password: password.map(str::to_owned),
                role: if admin { Role::Admin } else { Role::User },
                is_verified,
                disabled_at: at(times.0),
                created_at: at(times.1),
                updated_at: at(times.2),
            };
            Some(record.to_line())
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn users_who_leave_come_back_the_same(lines in prop::collection::vec(any_line(), 0..40)) {
        let (here, there) = (Place::new(), Place::new());
        let text = lines.join("\n");
        let (plan, outcome) = here.import(&text);
        prop_assert_eq!(outcome.added.users, plan.candidates.len());

        let left = here.export();
        let (plan, outcome) = there.import(&left);
        prop_assert!(plan.refused.is_empty() && plan.ignored.is_empty());
        prop_assert_eq!(outcome.added.users, left.lines().count());
        prop_assert_eq!(there.accounts(), here.accounts());
        prop_assert_eq!(there.export(), left.clone());

        let (_, again) = there.import(&left);
        prop_assert_eq!(again.already_there, left.lines().count());
        // What was said about them is still so.
        let (_, again) = there.import(&text);
        prop_assert!(again.added.users == 0 && again.conflicts.is_empty());
    }
}
