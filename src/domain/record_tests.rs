//! Lines in every form that they come in.

use super::*;

fn parse(line: &str) -> (Record, Vec<String>) {
    Record::parse(line).unwrap_or_else(|flaw| panic!("{flaw}: {line}"))
}

fn flaw(line: &str) -> Flaw {
    Record::parse(line).map(|_| line.to_owned()).expect_err("is refused")
}

const HASH: &str = "$2b$10$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2";

/// As `mongoexport` writes a document of a Mongoose model, in both of its forms.
#[test]
fn a_document_as_it_is_exported() {
    let canonical = r#"{"_id":{"$oid":"65f0c0ffee0123456789abcd"},"email":"Ana@Example.com","password":"HASH",
        "role":"admin","isVerified":true,"createdAt":{"$date":{"$numberLong":"1709164800007"}},
        "refreshTokens":[{"token":"secret"}],"__v":{"$numberInt":"3"}}"#;
    let relaxed = r#"{"_id":{"$oid":"65f0c0ffee0123456789abcd"},"email":"ana@example.com","passwordHash":"HASH",
        "role":"admin","isVerified":true,"createdAt":{"$date":"2024-02-29T00:00:00.007Z"},
        "refreshTokens":[],"__v":3}"#;
    let (ana, ignored) = parse(&canonical.replace("HASH", HASH));
    assert_eq!(ignored, ["__v", "_id", "refreshTokens"]);
    assert_eq!(
        (ana.email.as_str(), ana.role, ana.is_verified),
        ("ana@example.com", Role::Admin, true)
    );
    assert_eq!(ana.password.as_deref(), Some(HASH));
    assert_eq!(ana.created_at, Some(Timestamp::from_millis(1_709_164_800_007)));
    assert!(ana.id.is_none() && ana.updated_at.is_none() && ana.disabled_at.is_none());
    assert!(parse(&relaxed.replace("HASH", HASH)).0 == ana);
}

#[test]
fn what_is_missing_or_null_has_a_default() {
    for line in [
        r#"{"email":"ana@example.com"}"#,
        r#"{"email":"ana@example.com","password":null,"role":null,"isVerified":null,"createdAt":null,"id":null}"#,
    ] {
        let (ana, ignored) = parse(line);
        assert!(ignored.is_empty() && ana.password.is_none() && ana.created_at.is_none());
        assert_eq!((ana.role, ana.is_verified), (Role::User, false));
    }
}

#[test]
fn dates_come_in_several_forms() {
    let read =
        |date: &str| Record::parse(&format!(r#"{{"email":"a@example.com","createdAt":{date}}}"#));
    for date in [
        r#"{"$date":"2024-02-29T00:00:00.007Z"}"#,
        r#"{"$date":"2024-02-29T01:00:00.007+01:00"}"#,
        r#"{"$date":{"$numberLong":"1709164800007"}}"#,
        r#"{"$date":1709164800007}"#,
        r#""2024-02-29T00:00:00.007Z""#,
        "1709164800007",
        r#"{"$numberLong":"1709164800007"}"#,
    ] {
        let at = read(date).ok().and_then(|(record, _)| record.created_at);
        assert_eq!(at, Some(Timestamp::from_millis(1_709_164_800_007)), "{date}");
    }
    for date in [
        r#""yesterday""#,
        r#""2024-02-30T00:00:00Z""#,
        "1709164800007.5",
        "-1",
        "253402300800000",
        r#"{"$date":{"$numberLong":1709164800007}}"#,
        r#"{"$date":{"$numberLong":"99999999999999999999"}}"#,
        r#"{"$date":"2024-02-29T00:00:00Z","more":1}"#,
        r#"{"$date":null}"#,
        "{}",
        "[]",
        "true",
    ] {
        let refused = read(date).err();
        assert_eq!(refused, Some(Flaw::Type { field: "createdAt", wanted: DATE }), "{date}");
    }
}

#[test]
fn what_is_no_user_is_refused_without_its_values() {
    let typed = |field, wanted| Flaw::Type { field, wanted };
    let ana = r#"{"email":"ana@example.com""#;
    for (line, expected) in [
        (String::new(), Flaw::NotJson(0)),
        (r#"{"email":"#.to_owned(), Flaw::NotJson(9)),
        (format!("{ana}}} x"), Flaw::NotJson(29)),
        ("[]".to_owned(), Flaw::NotAnObject),
        (r#""ana@example.com""#.to_owned(), Flaw::NotAnObject),
        ("{}".to_owned(), Flaw::NoEmail),
        (r#"{"email":null}"#.to_owned(), Flaw::NoEmail),
        (r#"{"email":7}"#.to_owned(), typed("email", TEXT)),
        (r#"{"email":"bob"}"#.to_owned(), Flaw::Email(EmailError::Malformed)),
        (format!(r#"{ana},"password":7}}"#), typed("password", TEXT)),
        (format!(r#"{ana},"password":"a","password_hash":"b"}}"#), Flaw::Ambiguous),
        (format!(r#"{ana},"role":"king"}}"#), typed("role", "user or admin")),
        (format!(r#"{ana},"role":["admin"]}}"#), typed("role", TEXT)),
        (format!(r#"{ana},"isVerified":"yes"}}"#), typed("isVerified", "true or false")),
        (format!(r#"{ana},"isVerified":1}}"#), typed("isVerified", "true or false")),
    ] {
        let refused = flaw(&line);
        assert_eq!(refused, expected, "{line}");
        for value in ["bob", "king", "yes", "\"a\""] {
            assert!(!refused.to_string().contains(value), "{refused}");
        }
    }
    let (ana, _) = parse(&format!(r#"{ana},"password":"a","password_hash":"a"}}"#));
    assert_eq!(ana.password.as_deref(), Some("a"));
}

#[test]
fn only_an_id_of_doorward_s_is_kept() {
    let read = |id: &str| parse(&format!(r#"{{"email":"a@example.com","id":{id}}}"#));
    let (record, ignored) = read(r#""0190b8a0-0000-7000-8000-000000000000""#);
    assert!(record.id.is_some() && ignored.is_empty());
    for id in ["7", r#""65f0c0ffee0123456789abcd""#, r#""0190B8A0-0000-7000-8000-000000000000""#] {
        let (record, ignored) = read(id);
        assert!(record.id.is_none(), "{id}");
        assert_eq!(ignored, ["id"], "{id}");
    }
}

#[test]
fn a_line_is_read_as_it_was_written() {
    let at = |millis| Some(Timestamp::from_millis(millis));
    let full = Record {
        id: Some(UserId(Uuid::from_u128(7))),
        email: Email::parse("ana@example.com").expect("an address"),
        password: Some(HASH.to_owned()),
        role: Role::Admin,
        is_verified: true,
        disabled_at: at(3),
        created_at: at(0),
        updated_at: at(LAST),
    };
    let bare = Record {
        id: None,
        password: None,
        role: Role::User,
        is_verified: false,
        disabled_at: None,
        created_at: None,
        updated_at: None,
        ..full.clone()
    };
    assert_eq!(bare.to_line(), r#"{"email":"ana@example.com","isVerified":false,"role":"user"}"#);
    for record in [full, bare] {
        let line = record.to_line();
        let (read, ignored) = parse(&line);
        assert!(read == record && ignored.is_empty() && !line.contains('\n'), "{line}");
    }
}
