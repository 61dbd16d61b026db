//! Tokens in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::{StoreError, TokenStore, Tokens};

/// Keeps the tokens as JSON in a file that only its owner can read (on Unix, mode 0600).
///
/// The file is replaced as a whole, and is gone after signing out. It belongs to one client at a
/// time: two programs would use up each other's refresh tokens.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// A store in the file at `path`, whose directory must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl TokenStore for FileStore {
    async fn load(&self) -> Result<Option<Tokens>, StoreError> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || read(&path)).await?
    }

    async fn save(&self, tokens: Option<&Tokens>) -> Result<(), StoreError> {
        let path = self.path.clone();
        let content = tokens.map(serde_json::to_vec).transpose()?;
        tokio::task::spawn_blocking(move || match content {
            Some(content) => replace(&path, &content),
            None => remove_if_there(&path),
        })
        .await??;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<Tokens>, StoreError> {
    match fs::read(path) {
        // The parser's own message could quote a token.
        Ok(content) => match serde_json::from_slice(&content) {
            Ok(tokens) => Ok(Some(tokens)),
            Err(_) => Err(format!("{} does not hold tokens", path.display()).into()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whoever reads the file sees the old content or the new, also after a crash.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    // A draft that a crash left behind may have the wrong mode.
    remove_if_there(&draft)?;
    let mut file = create_private(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_directory(path)
}

/// Without it a power failure may bring the old file back, whose refresh token has been used.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let directory = path.parent().filter(|directory| *directory != Path::new(""));
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
