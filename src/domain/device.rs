//! A name for a device that its owner recognises in the list of their sessions.
//!
//! Only a label: nothing is decided by it, because a client may claim to be any other.

/// Names with the marks that tell them, tried in order: the first mark found anywhere wins.
type Table = &'static [(&'static str, &'static [&'static str])];

/// Specific before general: nearly every browser also claims to be Chrome, Safari and Mozilla.
const BROWSERS: Table = &[
    ("Electron", &["Electron/"]),
    ("PowerShell", &["PowerShell/"]),
    ("Facebook", &["FBAN/", "FBAV/"]),
    ("Instagram", &["Instagram "]),
    ("Google app", &["GSA/"]),
    ("Edge", &["Edg/", "EdgA/", "EdgiOS/", "Edge/"]),
    ("Opera", &["OPR/", "OPT/", "OPX/", "OPiOS/", "Opera"]),
    ("Samsung Internet", &["SamsungBrowser/"]),
    ("Vivaldi", &["Vivaldi/"]),
    ("Yandex Browser", &["YaBrowser/"]),
    ("DuckDuckGo", &["DuckDuckGo/", "Ddg/"]),
    ("Firefox", &["Firefox/", "FxiOS/"]),
    ("Headless Chrome", &["HeadlessChrome/"]),
    ("WebView", &["; wv)"]),
    ("Chromium", &["Chromium/"]),
    ("Chrome", &["Chrome/", "CriOS/"]),
    ("Internet Explorer", &["Trident/", "MSIE "]),
    ("Android Browser", &["Android"]),
    ("Safari", &["Safari/"]),
    ("WebView", &["AppleWebKit/"]),
];

/// An iPad that asks for desktop sites says Macintosh; only the iOS builds of browsers give it away.
const SYSTEMS: Table = &[
    ("Windows Phone", &["Windows Phone"]),
    ("Xbox", &["Xbox"]),
    ("iPhone", &["iPhone", "iPod"]),
    ("iPad", &["iPad", "CriOS/", "FxiOS/", "EdgiOS/"]),
    ("ChromeOS", &["CrOS "]),
    ("Tizen", &["Tizen"]),
    ("webOS", &["Web0S"]),
    ("Android", &["Android"]),
    ("Windows", &["Windows"]),
    ("macOS", &["Macintosh", "Mac OS X"]),
    ("FreeBSD", &["FreeBSD"]),
    ("OpenBSD", &["OpenBSD"]),
    ("Linux", &["Linux"]),
];

/// Libraries under another name than their product token.
const TOOLS: &[(&str, &str)] = &[
    ("python-httpx", "Python (httpx)"),
    ("python-requests", "Python (requests)"),
    ("Python-urllib", "Python (urllib)"),
    ("Go-http-client", "Go"),
    ("Java-http-client", "Java"),
    ("Apache-HttpClient", "Java (Apache HttpClient)"),
    ("node", "Node.js"),
    ("node-fetch", "Node.js"),
    ("undici", "Node.js"),
    ("PostmanRuntime", "Postman"),
    ("Dalvik", "Android app"),
];

/// Tools that go by their product token.
const NAMESAKES: &[&str] =
    &["Java", "HTTPie", "Python", "Wget", "axios", "curl", "okhttp", "reqwest"];

/// A browser in none of the tables.
const BROWSER: &str = "Browser";

const MAX_CHARS: usize = 40;

/// A short human name for the client that sent this `User-Agent` (RFC 9110, section 10.1.5):
/// `Firefox on Linux` for a browser, `curl` or `Python (httpx)` for a tool, else the first
/// product token without its version, at most 40 characters of letters, digits and `-_.+`.
/// `Unknown device` when none of these remain, and `""` for an empty header.
#[must_use]
pub fn device_name(user_agent: &str) -> String {
    if user_agent.is_empty() {
        return String::new();
    }
    known_device_name(user_agent).unwrap_or_else(|| {
        let product = first_product(user_agent);
        if product.contains(char::is_alphanumeric) { product } else { "Unknown device".to_owned() }
    })
}

/// The same for a letter: a name that is made of the tables above, and none that the client has made
/// up. Else a stranger could have `www.example.com` written in a genuine letter, where it is a link.
#[must_use]
pub fn known_device_name(user_agent: &str) -> Option<String> {
    let product = first_product(user_agent);
    if let Some((_, name)) = TOOLS.iter().find(|(token, _)| *token == product) {
        return Some((*name).to_owned());
    }
    // Applications that embed a platform's name in their own string are not browsers.
    if !matches!(product.as_str(), "Mozilla" | "Opera") {
        return NAMESAKES.contains(&product.as_str()).then_some(product);
    }
    let browser = find(BROWSERS, user_agent).unwrap_or(BROWSER);
    Some(match find(SYSTEMS, user_agent) {
        Some(system) => format!("{browser} on {system}"),
        None => browser.to_owned(),
    })
}

/// Whether `name` is one that [`known_device_name`] gives.
#[must_use]
pub fn is_known_device_name(name: &str) -> bool {
    let is_in = |table: Table, name: &str| table.iter().any(|(known, _)| *known == name);
    let (browser, system) =
        name.split_once(" on ").map_or((name, None), |(browser, system)| (browser, Some(system)));
    let is_browser = (browser == BROWSER || is_in(BROWSERS, browser))
        && system.is_none_or(|system| is_in(SYSTEMS, system));
    is_browser || NAMESAKES.contains(&name) || TOOLS.iter().any(|(_, known)| *known == name)
}

fn find(table: Table, user_agent: &str) -> Option<&'static str> {
    let known = |marks: &[&str]| marks.iter().any(|mark| user_agent.contains(mark));
    table.iter().find(|(_, marks)| known(marks)).map(|(name, _)| *name)
}

/// Keeps what is plainly visible: besides control characters, the invisible ones that turn
/// the direction of text around must not reach a page or a terminal.
fn first_product(user_agent: &str) -> String {
    let word = user_agent.split_whitespace().next().unwrap_or_default();
    word.chars()
        .take_while(|&c| c != '/')
        .filter(|&c| c.is_alphanumeric() || "-_.+".contains(c))
        .take(MAX_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const BROWSER_CASES: &[(&str, &str)] = &[
        ("Firefox on Linux", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("Firefox on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("Firefox on Android", "Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0"),
        ("Firefox on FreeBSD", "Mozilla/5.0 (X11; FreeBSD amd64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("Firefox on iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15"),
        ("Chrome on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"),
        ("Chrome on Android", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"),
        ("Chrome on ChromeOS", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"),
        ("Chrome on iPad", "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1"),
        ("Chrome on iPad", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126 Version/11.1.1 Safari/605.1.15"),
        ("Chromium on Linux", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Ubuntu Chromium/80.0.3987.163 Chrome/80.0.3987.163 Safari/537.36"),
        ("Headless Chrome on Linux", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36"),
        ("Safari on macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"),
        ("Safari on iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"),
        ("Safari on iPad", "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1"),
        ("Edge on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"),
        ("Edge on Android", "Mozilla/5.0 (Linux; Android 10; HD1913) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.61 Mobile Safari/537.36 EdgA/126.0.2592.56"),
        ("Edge on iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 EdgiOS/126.0.2592.56 Mobile/15E148 Safari/605.1.15"),
        ("Edge on Xbox", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edge/44.18363.8131"),
        ("Edge on Windows Phone", "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15254"),
        ("Opera on macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 OPR/111.0.0.0"),
        ("Opera on Windows", "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18"),
        ("Samsung Internet on Android", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36"),
        ("Samsung Internet on Tizen", "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1 (KHTML, like Gecko) SamsungBrowser/4.0 Chrome/76.0.3809.146 TV Safari/538.1"),
        ("Vivaldi on Linux", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Vivaldi/6.8.3381.46"),
        ("DuckDuckGo on macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15 Ddg/17.5"),
        ("Internet Explorer on Windows", "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; AS; rv:11.0) like Gecko"),
        ("Android Browser on Android", "Mozilla/5.0 (Linux; U; Android 4.0.3; de-de; GT-I9100) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30"),
        ("WebView on Android", "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36"),
        ("WebView on iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"),
        ("Facebook on iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21F79 [FBAN/FBIOS;FBAV/467.0.0;FBDV/iPhone15,2]"),
        ("Electron on macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Notes/4.39 Chrome/124.0.0.0 Electron/30.1.0 Safari/537.36"),
        ("PowerShell on Windows", "Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.22631; en-US) PowerShell/7.4.3"),
        ("Browser on Linux", "Mozilla/5.0 (X11; Linux x86_64) Novelty/1.0"),
        ("Browser", "Mozilla/5.0"),
    ];

    const TOOL_CASES: &[(&str, &str)] = &[
        ("curl", "curl/8.8.0"),
        ("HTTPie", "HTTPie/3.2.2"),
        ("Python (httpx)", "python-httpx/0.27.0"),
        ("Python (requests)", "python-requests/2.32.3"),
        ("Python (urllib)", "Python-urllib/3.12"),
        ("Python", "Python/3.12 aiohttp/3.9.5"),
        ("reqwest", "reqwest/0.12.5"),
        ("Go", "Go-http-client/2.0"),
        ("okhttp", "okhttp/4.12.0"),
        ("Java", "Java/17.0.11"),
        ("Java", "Java-http-client/21.0.3"),
        ("Node.js", "node"),
        ("Node.js", "undici"),
        ("Node.js", "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)"),
        ("axios", "axios/1.7.2"),
        ("Postman", "PostmanRuntime/7.39.0"),
        ("Android app", "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP1A)"),
        ("Notes", "Notes/12 CFNetwork/1496.0.7 Darwin/23.5.0"),
        ("Notes", "Notes/3.1 (Android 14; Chrome/126; like Safari/537)"),
    ];

    const ODD_CASES: &[(&str, &str)] = &[
        ("", ""),
        ("Unknown device", " "),
        ("Unknown device", "-"),
        ("Unknown device", "/1.0 Firefox/128.0"),
        ("Unknown device", "\u{0}\u{7f}\u{202e}\u{200b}"),
        ("Unknown device", "🦊/1.0"),
        ("reader", "  reader  "),
        ("abc", "a\u{0}b\u{1b}c/1.0"),
        ("nohtap", "\u{202e}nohtap/1.0"),
        ("script", "<script>/1"),
        ("Füchslein", "Füchslein/1.0 (Linux)"),
        ("読書", "読書/2"),
        ("curlew", "curlew/1.0"),
    ];

    #[test]
    fn names_what_people_use() {
        for (expected, user_agent) in [BROWSER_CASES, TOOL_CASES, ODD_CASES].concat() {
            assert_eq!(device_name(user_agent), expected, "for {user_agent:?}");
        }
    }

    /// Of what a client makes up, nothing is in a letter.
    #[test]
    fn only_names_from_the_tables_are_known() {
        for (expected, user_agent) in [BROWSER_CASES, TOOL_CASES].concat() {
            let known = (expected != "Notes").then(|| expected.to_owned());
            assert_eq!(known_device_name(user_agent), known, "for {user_agent:?}");
            assert_eq!(is_known_device_name(expected), known.is_some(), "for {expected:?}");
        }
        for made_up in [
            "",
            "www.evil.example/1",
            "www.evil.example Firefox/128.0",
            "curl.example/1",
            "Firefox/www.evil.example on Linux",
            "Firefox on www.evil.example",
            "www.evil.example on Linux",
            " on ",
        ] {
            assert_eq!(known_device_name(made_up), None, "for {made_up:?}");
            assert!(!is_known_device_name(made_up), "for {made_up:?}");
        }
        let hidden = "Mozilla/5.0 (www.evil.example; Linux) Firefox/www.evil.example";
        assert_eq!(known_device_name(hidden).as_deref(), Some("Firefox on Linux"));
    }

    #[test]
    fn cuts_long_names_by_characters() {
        for letter in ["x", "é", "読"] {
            let name = device_name(&letter.repeat(100_000));
            assert_eq!(name, letter.repeat(40));
        }
    }

    /// A row that an earlier one shadows would be dead weight that no other test notices.
    #[test]
    fn every_browser_and_system_can_be_reached() {
        for table in [BROWSERS, SYSTEMS] {
            for (name, marks) in table {
                for mark in *marks {
                    assert_eq!(find(table, mark), Some(*name), "for {mark:?}");
                }
            }
        }
    }
}
