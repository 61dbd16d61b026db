use std::os::unix::fs::chown;
use std::time::Duration;

use super::*;
use crate::crypto::keyring::KeySet;

const NOW: Timestamp = Timestamp::from_millis(0);

fn root(byte: u8) -> Root {
    Root::from_bytes([byte; 32])
}

fn first(dir: &Path) -> PathBuf {
    list(dir).unwrap().remove(0)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_first_start_makes_a_private_key_that_the_next_one_reads() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join("keys");
    let made = load_dir(&dir, true, &root(1), NOW).unwrap();
    let read = load_dir(&dir, true, &root(2), NOW).unwrap();
    assert_eq!(made.active().public.id(), read.active().public.id());
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(first(&dir)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join("keys");
    let load = |may_create| load_dir(&dir, may_create, &root(1), NOW).map(|_| ());
    assert!(matches!(load(false), Err(KeyError::Missing(_))));

    load(true).unwrap();
    let file = first(&dir);
    chmod(&file, 0o640);
    let error = load(true).unwrap_err();
    assert!(error.to_string().contains("mode 0640"), "{error}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
    chmod(&file, 0o600);
    chmod(&dir, 0o750);
    assert!(matches!(load(true), Err(KeyError::Exposed { .. })));
    chmod(&dir, 0o700);

    for bad in ["k4.local.c2hvcnQ", "k4.public.AAAA", "secret", "k3.local."] {
        fs::write(&file, format!("# comment\n\n{bad}\n")).unwrap();
        let error = load(true).unwrap_err();
        assert!(matches!(error, KeyError::Malformed { line: 3, .. }), "{error}");
        assert!(!error.to_string().contains("c2hvcnQ"), "the key is repeated");
    }
    fs::write(&file, b"\n\xff\x00\xfe\n").unwrap();
    assert!(matches!(load(true), Err(KeyError::Malformed { line: 2, .. })));

    // Two that were appended to each other without a line break.
    fs::write(&file, [root(1), root(2)].map(|root| root.to_paserk().to_string()).concat()).unwrap();
    let error = load(true).unwrap_err();
    assert!(matches!(error, KeyError::Joined { line: 1, .. }), "{error}");
    assert!(!error.to_string().contains(&**root(1).to_paserk()), "the key is repeated");

    // Also beside good ones: sessions may depend on the key that it held.
    add(&dir, &root(2), NOW.plus(Duration::from_secs(1))).unwrap();
    for nothing in ["", "\n", "# where is it?\n"] {
        fs::write(&file, nothing).unwrap();
        let error = load(true).unwrap_err();
        assert!(matches!(&error, KeyError::Lost(path) if *path == file), "{error}");
    }
}

#[test]
fn the_last_line_of_a_key_file_is_active() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("mounted");
    let lines = [root(1), root(2)].map(|root| (*root.to_paserk()).clone());
    fs::write(&path, lines.join("\n")).unwrap();
    chmod(&path, 0o644);
    let (keys, warning) = load_file(&path).unwrap();
    let newest = Keyring::new(&root(2), &[]).unwrap();
    assert_eq!(keys.active().public.id(), newest.active().public.id());
    assert_eq!(keys.sets().count(), 2);
    assert!(warning.unwrap().contains("0644"));
}

fn id(byte: u8) -> crate::domain::secret::KeyId {
    KeySet::derive(&root(byte)).unwrap().ratchet.id
}

/// A directory with one key, and what it is called.
fn with_one_key() -> (tempfile::TempDir, PathBuf) {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join("keys");
    load_dir(&dir, true, &root(1), NOW).unwrap();
    (data, dir)
}

fn ids(dir: &Path) -> Vec<crate::domain::secret::KeyId> {
    Place::Directory(dir.to_owned()).load().unwrap().0.ids()
}

#[test]
fn the_last_key_that_was_added_is_active_whatever_the_clock_and_the_names_are() {
    let (_data, dir) = with_one_key();
    // As far as a name can go in letters, and what somebody may have called a copy.
    let theirs = ["9.key", "zz.key", "zz~zz.key"];
    for (byte, (millis, named)) in (2..).zip([
        (1, None),
        (1, None),
        (-1_000_000, None),
        (5, Some(theirs[0])),
        (6, Some(theirs[1])),
        (7, Some(theirs[2])),
        (0, None),
        (0, None),
    ]) {
        if let Some(name) = named {
            let last = list(&dir).unwrap().pop().unwrap();
            fs::rename(last, dir.join(name)).unwrap();
        }
        add(&dir, &root(byte), Timestamp::from_millis(millis)).unwrap();
        assert_eq!(ids(&dir)[0], id(byte), "{byte}: {:?}", list(&dir).unwrap());
        assert_eq!(ids(&dir).len(), usize::from(byte));
    }
}

/// Every state that a crash can leave: the old keys or the new ones, never half of one. The next
/// rotation goes on from there, and clears up.
#[test]
fn a_crash_during_a_rotation_leaves_the_old_keys_or_the_new_ones() {
    let line = format!("{}\n", *root(2).to_paserk());
    let name = "19700101T000000001Z-crashed1";
    for (state, half, whole, active) in [
        ("nothing is written", None, None, 1),
        ("the file is made", Some(""), None, 1),
        ("half is written", Some(&line[..20]), None, 1),
        ("all is written, and not renamed", Some(&*line), None, 1),
        ("it is renamed", None, Some(&*line), 2),
    ] {
        let (_data, dir) = with_one_key();
        for (text, extension) in [(half, "tmp"), (whole, "key")] {
            let Some(text) = text else { continue };
            let path = dir.join(name).with_extension(extension);
            fs::write(&path, text).unwrap();
            chmod(&path, 0o600);
        }
        assert_eq!(ids(&dir)[0], id(active), "{state}");
        let names = Place::Directory(dir.clone()).names().unwrap().unwrap();
        assert_eq!(names.len(), ids(&dir).len(), "{state}");

        add(&dir, &root(3), NOW.plus(Duration::from_secs(1))).unwrap();
        assert_eq!(ids(&dir)[0], id(3), "{state}");
        assert!(ids(&dir).contains(&id(1)), "{state}");
        let left = fs::read_dir(&dir)
            .unwrap()
            .filter(|it| it.as_ref().unwrap().path().extension().is_some_and(|it| it == "tmp"));
        assert_eq!(left.count(), 0, "{state}");
    }
}

/// The same with what the code itself leaves, when it ends before its last step.
#[test]
fn a_key_does_not_count_before_it_has_its_name() {
    let (_data, dir) = with_one_key();
    for byte in [2, 3] {
        drop(Held::take(&dir).unwrap().prepare(&root(byte), NOW).unwrap());
        assert_eq!(ids(&dir), [id(1)]);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "what a crash has left is replaced");
    }
    for byte in 4..=255 {
        add(&dir, &root(byte), NOW).unwrap();
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 253);
}

#[test]
fn two_rotations_at_once_leave_two_more_keys() {
    let (_data, dir) = with_one_key();
    std::thread::scope(|scope| {
        for byte in 2..10 {
            let dir = &dir;
            scope.spawn(move || add(dir, &root(byte), NOW).unwrap());
        }
    });
    let mut found = ids(&dir);
    assert!((2..10).any(|byte| found[0] == id(byte)));
    found.sort_by_key(|id| id.0);
    let mut all: Vec<_> = (1..10).map(id).collect();
    all.sort_by_key(|id| id.0);
    assert_eq!(found, all);
}

#[test]
fn only_files_of_retired_keys_alone_are_removed_and_never_the_last_one() {
    let (_data, dir) = with_one_key();
    for byte in [2, 3] {
        add(&dir, &root(byte), NOW).unwrap();
    }
    let second = list(&dir).unwrap().remove(1);
    let both = [root(2), root(4)].map(|root| format!("{}\n", *root.to_paserk())).concat();
    fs::write(&second, both).unwrap();

    assert_eq!(remove(&dir, &[]).unwrap(), 0);
    assert_eq!(remove(&dir, &[id(1), id(2), id(3)]).unwrap(), 1);
    assert_eq!(ids(&dir), [id(3), id(2), id(4)]);
    assert_eq!(remove(&dir, &[id(2), id(4), id(3)]).unwrap(), 1);
    assert_eq!(ids(&dir), [id(3)]);
}

/// The server could not read a key that `root` has made.
#[test]
fn a_key_for_somebody_else_is_not_made() {
    let (_data, dir) = with_one_key();
    if chown(&dir, Some(65534), None).is_err() {
        return; // Only `root` can get here.
    }
    let error = add(&dir, &root(2), NOW).unwrap_err();
    assert!(matches!(error, KeyError::Owner { owner: 65534, .. }), "{error}");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}
