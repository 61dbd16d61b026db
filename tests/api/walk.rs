//! A walk over every operation of the spec: who is let in, and how it answers bad input.

use std::collections::BTreeSet;

use doorward::domain::claims::Role;
use doorward::store::UserChange;

use crate::harness::spec::{Operation, operations};
use crate::harness::{Call, NOBODY, TestApp};

/// As the contract lists them.
const OPERATION_IDS: &[&str] = &[
    "acceptInvitation",
    "addAddress",
    "changeEmail",
    "changePassword",
    "confirmEmail",
    "createInvitation",
    "createUser",
    "deleteAccount",
    "deleteUser",
    "exportMe",
    "forgotPassword",
    "getKeys",
    "getMe",
    "getProfile",
    "getUser",
    "listAddresses",
    "listAuditEvents",
    "listEvents",
    "listInvitations",
    "listSessions",
    "listUserSessions",
    "listUsers",
    "login",
    "logout",
    "logoutAll",
    "refresh",
    "register",
    "removeAddress",
    "resendVerification",
    "resetPassword",
    "revokeInvitation",
    "revokeSession",
    "revokeUserSession",
    "revokeUserSessions",
    "undoEmailChange",
    "updateAddress",
    "updateProfile",
    "updateUser",
    "verifyEmail",
];

const PROTECTED: &[&str] = &[
    "addAddress",
    "changeEmail",
    "changePassword",
    "createInvitation",
    "createUser",
    "deleteAccount",
    "deleteUser",
    "exportMe",
    "getMe",
    "getProfile",
    "getUser",
    "listAddresses",
    "listAuditEvents",
    "listEvents",
    "listInvitations",
    "listSessions",
    "listUserSessions",
    "listUsers",
    "logoutAll",
    "removeAddress",
    "revokeInvitation",
    "revokeSession",
    "revokeUserSession",
    "revokeUserSessions",
    "updateAddress",
    "updateProfile",
    "updateUser",
];

fn call<'a>(app: &'a TestApp, operation: &Operation, parameter: &str) -> Call<'a> {
    let path = operation.path.replace("{sessionId}", parameter);
    let path = path.replace("{userId}", parameter);
    let path = path.replace("{addressId}", parameter);
    let path = path.replace("{invitationId}", parameter);
    assert!(!path.contains('{'), "{path}: say what to put there");
    app.call(operation.method.as_str(), &path)
}

#[test]
fn every_operation_of_the_contract_is_there_once() {
    let mut ids: Vec<_> = operations().iter().map(Operation::id).collect();
    ids.sort_unstable();
    assert_eq!(ids, OPERATION_IDS);
    // A duplicate key would vanish when the document is parsed.
    let in_text = doorward::http::spec::json().matches("\"operationId\":").count();
    assert_eq!(in_text, ids.len());
    let protected: BTreeSet<_> = operations()
        .iter()
        .filter(|operation| operation.is_protected())
        .map(Operation::id)
        .collect();
    assert_eq!(protected, PROTECTED.iter().copied().collect());
}

#[test]
fn every_operation_is_described() {
    for operation in operations() {
        let (id, spec) = (operation.id(), operation.spec);
        assert_eq!(spec["tags"].as_array().unwrap().len(), 1, "{id}");
        for text in ["summary", "description"] {
            assert!(!spec[text].as_str().unwrap_or_default().is_empty(), "{id}: {text}");
        }
        for parameter in spec["parameters"].as_array().into_iter().flatten() {
            let text = parameter["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{id}: {parameter}");
        }
    }
}

#[tokio::test]
async fn strangers_are_stopped_at_protected_operations_only() {
    let app = TestApp::start().await;
    for operation in operations() {
        for (parameter, body) in [(NOBODY, ""), ("nonsense", "{"), (NOBODY, "[]")] {
            let call = call(&app, &operation, parameter).header("content-type", "application/json");
            let answer = call.body(body).await;
            if operation.is_protected() {
                answer.sets_no_cookies().problem(401, "no_token");
            } else if answer.status == 401 {
                assert_ne!(answer.json()["code"], "no_token", "{}", operation.id());
            }
        }
    }
}

#[tokio::test]
async fn garbage_for_a_token_lets_nobody_in() {
    let app = TestApp::start().await;
    for operation in operations().iter().filter(|operation| operation.is_protected()) {
        let bearer = call(&app, operation, NOBODY).bearer("nonsense").await;
        bearer.problem(401, "session_expired");
        let cookie = call(&app, operation, NOBODY).header("cookie", "token=x; refreshToken=y");
        cookie.await.sets_no_cookies().problem(401, "session_expired");
        let twice = call(&app, operation, NOBODY).header("cookie", "token=x; token=y");
        twice.await.sets_no_cookies().problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn a_foreign_page_is_stopped_at_every_unsafe_operation() {
    let app = TestApp::start().await;
    for operation in operations().iter().filter(|it| it.method != reqwest::Method::GET) {
        let from_afar = call(&app, operation, "nonsense").header("origin", "https://evil.example");
        from_afar.body("{").await.sets_no_cookies().problem(403, "csrf_failed");
    }
}

#[tokio::test]
async fn bad_input_is_a_problem_everywhere() {
    let app = TestApp::start().await;
    let bodies = operations();
    let bodies: Vec<_> = bodies.iter().filter(|it| it.has_body()).collect();
    assert!(bodies.len() >= 8, "{}", bodies.len());
    app.account("root@example.com").await;
    app.operator("root@example.com", UserChange::Role(Role::Admin)).await;
    let root = app.program("root@example.com").await.tokens.access;
    for operation in bodies {
        let send = |media_type: &str, body: &str| {
            let call = call(&app, operation, NOBODY).header("content-type", media_type);
            // Whoever may not call is told that first.
            let call = if operation.is_protected() { call.bearer(&root) } else { call };
            call.body(body)
        };
        let json = "application/json";
        send(json, "{").await.problem(400, "malformed_request");
        send(json, "[]").await.problem(422, "validation_failed");
        send(json, r#"{"zebra":1}"#).await.problem(422, "validation_failed");
        send("text/plain", "{}").await.problem(415, "unsupported_media_type");
        send(json, &" ".repeat(17 * 1024)).await.problem(413, "payload_too_large");
    }
}
