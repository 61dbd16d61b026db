//! The README keeps its word: its walk does what it shows, its programs are those that other tests
//! run, and its table of settings is the program's.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const README: &str = include_str!("../README.md");

/// The server as the README starts it, on a free port; stopped when the test is over.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(data: &std::path::Path) -> Self {
        let line =
            README.lines().find(|line| line.starts_with("DOORWARD_")).expect("how it is started");
        let settings = line.split(' ').filter_map(|word| word.split_once('='));
        let mut process = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .envs(settings)
            .current_dir(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut ready = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut ready).expect("its first line");
        let url = ready.split(' ').find(|word| word.starts_with("http://")).expect("its URL");
        Self { url: url.to_owned(), process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Each block that is marked so: what is pasted, and what it shows in return.
fn blocks(readme: &str, mark: &str) -> Vec<(String, Vec<String>)> {
    readme
        .split(&format!("<!-- {mark} -->\n```sh\n"))
        .skip(1)
        .map(|rest| {
            let block = rest.split("```").next().expect("a block");
            let (shown, pasted): (Vec<_>, Vec<_>) =
                block.lines().partition(|line| line.starts_with("# "));
            let shown = shown.iter().map(|line| line.trim_start_matches("# ").to_owned());
            (pasted.join("\n"), shown.collect())
        })
        .collect()
}

/// Whether `line` is what was shown, where `…` stands for anything.
fn is_as_shown(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    last.map_or(rest.is_empty(), |part| line.ends_with(part))
}

#[test]
fn the_walk_works_as_pasted() {
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start(data.path());
    let blocks = blocks(README, "walk");
    assert!(blocks.len() >= 8, "only {} blocks found", blocks.len());

    // One shell for the whole walk, as in a person's terminal; a line tells the blocks apart.
    let mut shell = Command::new("bash")
        .current_dir(data.path())
        .env("URL", &server.url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash");
    let pasted: Vec<_> = blocks.iter().map(|(pasted, _)| pasted.as_str()).collect();
    let script = pasted.join(
        "
echo --- next
",
    );
    shell.stdin.take().expect("its input").write_all(script.as_bytes()).expect("the script");
    let output = shell.wait_with_output().expect("its output");
    let output = String::from_utf8(output.stdout).expect("text");

    for (block, printed) in blocks.iter().zip(output.split("--- next\n")) {
        check_shown(block, printed);
    }
}

fn check_shown((pasted, shown): &(String, Vec<String>), printed: &str) {
    let printed: Vec<_> = printed.lines().collect();
    let same = printed.len() == shown.len()
        && printed.iter().zip(shown).all(|(line, shown)| is_as_shown(line, shown));
    assert!(same, "pasted:\n{pasted}\nshown: {shown:#?}\nprinted: {printed:#?}");
}

/// The backup while the server runs, the way back once it is stopped, as in an operator's directory.
#[test]
fn a_backup_is_made_and_restored_as_pasted() {
    let place = tempfile::tempdir().expect("a directory");
    let data = place.path().join("data");
    std::fs::create_dir(&data).expect("the data directory");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_doorward"));
    let programs = program.parent().expect("its directory").display();
    let path = format!("{programs}:{}", std::env::var("PATH").expect("a path"));
    let paste = |mark: &str| {
        let block = blocks(README, mark).pop().expect("a block");
        let mut shell = Command::new("bash");
        shell.args(["-c", &block.0]).current_dir(place.path()).env("PATH", &path);
        let output = shell.output().expect("bash");
        check_shown(&block, &String::from_utf8(output.stdout).expect("text"));
    };
    let server = Server::start(&data);
    let register = r#"curl -sS -H 'Content-Type: application/json' $URL/api/auth/register \
        -d '{"email":"ana@example.com","password":"correct horse battery"}'"#;
    let curl = Command::new("bash").args(["-c", register]).env("URL", &server.url).output();
    assert!(curl.expect("curl").status.success());
    paste("backup");
    drop(server);
    paste("restore");
}

#[test]
fn a_difference_would_be_seen() {
    assert!(is_as_shown(r#"{"a":1,"b":2}"#, r#"{"a":…,"b":2}"#));
    assert!(is_as_shown("200", "200"));
    for (line, shown) in
        [("500", "200"), ("2000", "200"), (r#"{"a":1}"#, r#"{…"b":…}"#), ("ab", "a…c")]
    {
        assert!(!is_as_shown(line, shown), "{line} {shown}");
    }
}

#[test]
fn its_programs_are_the_files_that_are_run() {
    let named = README.split("<!-- ").skip(1).filter_map(|rest| rest.split_once(" -->\n```"));
    let programs: Vec<_> = named.filter(|(path, _)| path.contains('/')).collect();
    assert_eq!(programs.len(), 4, "three SDKs and the embedding");
    for (path, rest) in programs {
        let (_language, block) = rest.split_once('\n').expect("a fence");
        let (program, _) = block.split_once("```\n").expect("its end");
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let file = std::fs::read_to_string(&file).expect("the file that is named");
        assert!(program == file, "{path} is another one:\n{file}");
    }
}

#[test]
fn every_setting_is_in_the_table_with_its_default() {
    let rows: Vec<Vec<&str>> = README
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    let loaded = doorward::config::load(&doorward::config::Flags::default(), std::iter::empty());
    for setting in loaded.expect("the defaults are valid").settings {
        let row = rows.iter().find(|row| row[1] == setting.key);
        let row = row.unwrap_or_else(|| panic!("{} is not in the README", setting.key));
        let default = row[2];
        let derived = ["unset", "[]"].contains(&default)
            || default.contains("public_url")
            || default.contains("listen");
        assert!(
            derived || default == setting.value.trim_matches('"'),
            "{}: {default} or {}",
            setting.key,
            setting.value
        );
    }
}

/// What `docs/ADVISORIES.md` and `SECURITY.md` call a test must be one.
#[test]
fn the_tests_that_are_named_exist() {
    let documents = [include_str!("../docs/ADVISORIES.md"), include_str!("../SECURITY.md")];
    let named = documents.iter().flat_map(|document| document.lines()).filter_map(|line| {
        let cell = line.strip_suffix(" |")?.rsplit(" | ").next()?;
        cell.starts_with('`').then(|| cell.split('`').skip(1).step_by(2))
    });
    // Other tables end in code too, such as settings.
    let is_name = |name: &&str| {
        let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b" _:".contains(&b);
        name.contains(' ') && name.contains('_') && name.bytes().all(is_word)
    };
    let mut seen = 0;
    for name in named.flatten().filter(is_name) {
        let (target, path) = name.split_once(' ').expect("a target and a test");
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let (module, function) = path.rsplit_once("::").unwrap_or(("main", path));
        let in_a_file = tests.join(target).join(module.replace("::", "/")).with_extension("rs");
        let file = if in_a_file.exists() { in_a_file } else { tests.join(format!("{target}.rs")) };
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let (_, rest) = text.split_once(&format!("fn {function}(")).unwrap_or_default();
        assert!(!rest.is_empty(), "no test {name} (looked in {})", file.display());
        seen += 1;
    }
    assert!(seen > 50, "{seen} are named");
}
