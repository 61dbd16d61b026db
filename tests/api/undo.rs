//! The owner and a thief, over the address of an account: the link that undoes a change.

use doorward::domain::claims::Role;
use doorward::domain::mail::About;
use doorward::mail::{Blame, Undelivered};
use doorward::store::{UserChange, WhichMail};
use serde_json::{Value, json};

use crate::harness::{HOUR, PASSWORD, SECOND, TestApp};
use crate::mail::{size, subjects, to};
use crate::recovery::{change_email, is_invalid};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const CHANGED: &str = "Your e-mail address was changed";
const WEEK: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);

impl TestApp {
    /// Makes sure that there is an account whose address is known to be the user's.
    pub async fn verified(&self, email: &str) {
        self.account(email).await;
        self.operator(email, UserChange::Verified(true)).await;
    }

    /// Whoever knows the password gives an account another address, whose mail they read.
    pub async fn moves(&self, from: &str, to: &str) {
        let someone = self.browser();
        someone.login(from).await.ok();
        change_email(&someone, to).await.status(202);
        self.redeem("confirm-email", &self.link(to, "confirm_email_change")).await.ok();
        someone.logout().await.ok();
    }

    /// How the account that is at `from` is given back the address `to`.
    async fn undo(&self, to: &str) {
        self.redeem("undo-email-change", &self.link(to, "email_changed")).await.ok();
    }

    fn count(&self, table: &str) -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        self.sql().query_row(&query, [], |row| row.get(0)).unwrap()
    }
}

/// What a thief does with the account, one after the other: `>a` gives it another address of his, `<a`
/// uses the link that he got there when he gave it the next, `reset` has the password reset. `back` sets
/// the clock back.
const ORDERS: [&str; 13] = [
    ">a",
    ">a >b",
    ">a >b <a",
    ">a back >b <a",
    ">a reset >b reset <a reset",
    ">a >b <a >b <a",
    ">a >b <a >c <a >d",
    ">a >b >c",
    ">a >b >c <a",
    ">a >b >c <b",
    ">a >b >c <b <a",
    ">a back >b back >c back <b <a",
    ">a back >b reset <a >c back >d <c >e",
];

#[tokio::test]
async fn whatever_a_thief_does_the_owner_gets_the_address_back() {
    for order in ORDERS {
        let app = TestApp::start().await;
        app.verified(ANA).await;
        let mut at = ANA.to_owned();
        let mut theirs = Vec::new();
        for step in order.split(' ') {
            let address = |name: &str| format!("{name}@thief.example.com");
            if step == "back" {
                app.clock.set_wall(app.now().wall.minus(HOUR));
            } else if step == "reset" {
                app.forgot(&at).await.status(202);
                app.reset(&app.link(&at, "reset_password"), PASSWORD).await.ok();
            } else if let Some(name) = step.strip_prefix('>') {
                app.moves(&at, &address(name)).await;
                if at != ANA {
                    theirs.push(app.link(&at, "email_changed"));
                }
                at = address(name);
            } else {
                at = address(step.strip_prefix('<').unwrap());
                app.undo(&at).await;
            }
        }
        let hers = app.link(ANA, "email_changed");
        let answer = app.redeem("undo-email-change", &hers).await;
        assert_eq!(answer.status, 200, "{order}: {answer}");
        for link in [theirs, vec![hers]].concat() {
            is_invalid(&app.redeem("undo-email-change", &link).await);
        }
        app.login(ANA, PASSWORD).await.ok();
    }
}

/// A link outlives those that undo what came later, and not only the first one.
#[tokio::test]
async fn an_undo_voids_no_link_of_before() {
    let app = TestApp::start().await;
    app.verified(ANA).await;
    app.moves(ANA, BEN).await;
    app.moves(BEN, "thief@example.com").await;
    app.undo(BEN).await;
    app.login(BEN, PASSWORD).await.ok();
    app.undo(ANA).await;
    app.login(ANA, PASSWORD).await.ok();
}

/// The thief does it once more while the mail server is down, and even deletes the account.
#[tokio::test]
async fn the_owner_hears_of_a_change_that_stands_also_when_its_link_is_dead() {
    for is_deleted in [true, false] {
        let app = TestApp::start().await;
        app.verified(ANA).await;
        app.moves(ANA, "thief@example.com").await;
        app.post_office.refuse(|letter| {
            (letter.to.as_str() == ANA).then(|| Undelivered::new(Blame::Letter, "no"))
        });
        app.mail().await;
        if is_deleted {
            app.operator("thief@example.com", UserChange::Delete).await;
            // Somebody else has the address by now. That is no reason to keep it from her.
            app.account(ANA).await;
        } else {
            app.clock.advance(WEEK);
        }
        app.post_office.accept();
        app.app().store.retry_mail(WhichMail::Dead, app.now()).await.unwrap();
        let mut letters = app.mail().await;
        letters.retain(|letter| letter.to.as_str() == ANA);
        assert_eq!((to(&letters), subjects(&letters)), (vec![ANA], vec![CHANGED]));
        let text = &letters[0].text;
        assert!(text.contains("thief@example.com") && !text.contains("token="), "{text}");
        assert_eq!(size(&app).await, (0, 0));
    }
}

/// A version before wrote of the change without saying whose it was.
#[tokio::test]
async fn a_letter_of_before_is_sent_unless_somebody_has_the_address() {
    let app = TestApp::start().await;
    let undo = Some(doorward::domain::id::OneTimeId(uuid::Uuid::from_u128(7)));
    for is_back in [false, true] {
        if is_back {
            app.account(ANA).await;
        }
        let about = About::EmailChanged { to: BEN.to_owned(), undo, account: None };
        app.post_mail(ANA, about).await;
        app.sql().execute("DELETE FROM one_time_tokens", []).unwrap();
        let sent = app.mail().await;
        assert_eq!(to(&sent), if is_back { vec![] } else { vec![ANA] });
    }
}

/// As long as a link can give an address back it is not given to anybody else, whichever way they ask.
#[tokio::test]
async fn an_address_is_kept_for_who_can_take_it_back() {
    let app = TestApp::start().await;
    app.account("root@example.com").await;
    app.operator("root@example.com", UserChange::Role(Role::Admin)).await;
    // Asked for while the address was free.
    let root = app.program("root@example.com").await;
    let email = json!({"email": ANA});
    root.call("POST", "/api/admin/invitations").json(email.clone()).await.status(201);
    let invitation = app.link(ANA, "invitation");
    let ben = app.signed_in(BEN).await;
    change_email(&ben, ANA).await.status(202);
    let wanted = app.link(ANA, "confirm_email_change");

    app.verified(ANA).await;
    app.moves(ANA, "thief@example.com").await;
    let (users, letters) = (app.count("users"), app.letters().len());
    let is_taken = |answer: crate::harness::Answer| drop(answer.problem(409, "email_taken"));
    is_taken(app.register(ANA, PASSWORD).await);
    is_taken(app.register("Ana@Example.com", PASSWORD).await);
    let new = json!({"email": ANA, "password": PASSWORD});
    is_taken(root.call("POST", "/api/admin/users").json(new.clone()).await);
    is_taken(root.call("POST", "/api/admin/invitations").json(email.clone()).await);
    let accept = json!({"token": invitation, "password": PASSWORD});
    is_taken(app.post("/api/auth/accept-invitation").json(accept).await);
    is_taken(app.redeem("confirm-email", &wanted).await);
    assert_eq!((app.count("users"), app.letters().len()), (users, letters));
    // Not told, as for any address that is taken.
    change_email(&ben, ANA).await.status(202);
    assert_eq!(app.letters()[letters..], [(ANA.to_owned(), "already_registered".to_owned())]);

    app.undo(ANA).await;
    app.login(ANA, PASSWORD).await.ok();
}

#[tokio::test]
async fn it_is_kept_for_a_week_and_not_from_the_account_itself() {
    let app = TestApp::start().await;
    app.verified(ANA).await;
    app.moves(ANA, BEN).await;
    app.moves(BEN, ANA).await;
    app.moves(ANA, "ana.maria@example.com").await;
    app.clock.advance(WEEK - SECOND);
    app.register(ANA, PASSWORD).await.problem(409, "email_taken");
    app.clock.advance(SECOND);
    app.register(ANA, PASSWORD).await.status(201);
    // And no longer than there is somebody to take it back.
    app.verified("cy@example.com").await;
    app.moves("cy@example.com", "dee@example.com").await;
    app.operator("dee@example.com", UserChange::Delete).await;
    app.register("cy@example.com", PASSWORD).await.status(201);
}

#[tokio::test]
async fn where_addresses_are_verified_it_is_answered_like_a_new_one() {
    let app = TestApp::with(|config| config.require_verified_email = true).await;
    app.verified(ANA).await;
    app.moves(ANA, BEN).await;
    let users = app.count("users");
    let shape = |answer: &crate::harness::Answer| {
        let body = answer.sets_no_cookies().status(201);
        let keys = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        (keys(&body), keys(&body["user"]))
    };
    let kept = shape(&app.register(ANA, PASSWORD).await);
    assert_eq!(app.count("users"), users);
    let told = (ANA.to_owned(), "already_registered".to_owned());
    assert_eq!(app.letters().last(), Some(&told));
    assert_eq!(kept, shape(&app.register("new@example.com", PASSWORD).await));
    app.undo(ANA).await;
}

/// In a database of before, the address may have been given away. To be refused costs nobody the link.
#[tokio::test]
async fn a_link_that_was_refused_is_good_when_the_address_is_free_again() {
    let app = TestApp::start().await;
    app.verified(ANA).await;
    let ana = app.browser();
    ana.login(ANA).await.ok();
    change_email(&ana, BEN).await.status(202);
    let confirm = app.link(BEN, "confirm_email_change");
    app.account(BEN).await;
    for _ in 0..2 {
        app.redeem("confirm-email", &confirm).await.problem(409, "email_taken");
    }
    app.operator(BEN, UserChange::Delete).await;
    app.redeem("confirm-email", &confirm).await.ok();
    is_invalid(&app.redeem("confirm-email", &confirm).await);

    let undo = app.link(ANA, "email_changed");
    let rename = |from: &str, to: &str| {
        let rename = "UPDATE users SET email = ?2 WHERE email = ?1";
        assert_eq!(app.sql().execute(rename, [from, to]), Ok(1));
    };
    app.account("cy@example.com").await;
    rename("cy@example.com", ANA);
    for _ in 0..2 {
        app.redeem("undo-email-change", &undo).await.problem(409, "email_taken");
    }
    ana.me().await.ok();
    rename(ANA, "cy@example.com");
    app.redeem("undo-email-change", &undo).await.ok();
    is_invalid(&app.redeem("undo-email-change", &undo).await);
}

/// Most are not, where nobody asks for it, and their owners have thieves too.
#[tokio::test]
async fn an_address_that_nobody_has_verified_can_take_the_account_back_as_well() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.moves(ANA, BEN).await;
    app.register(ANA, PASSWORD).await.problem(409, "email_taken");
    let undo = app.link(ANA, "email_changed");
    app.redeem("undo-email-change", &undo).await.ok();
    app.login(ANA, PASSWORD).await.ok();
    app.login(BEN, PASSWORD).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn who_is_asked_to_confirm_an_address_is_warned() {
    let app = TestApp::start().await;
    let eve = app.signed_in(ANA).await;
    change_email(&eve, BEN).await.status(202);
    let warning = "only if you asked for";
    let letter = &app.mail().await[0].text.replace('\n', " ");
    assert!(letter.contains(warning), "{letter}");
    let page = app.get("/account/confirm-email").await;
    page.ok();
    assert!(page.text().contains(warning), "{}", page.text());
}
