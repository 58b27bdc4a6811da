//! A dataset in a folder: files wait where nobody looks, and links and renames make them seen.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use lockgate_crypto::Sha256Hasher;
use lockgate_model::{DatasetName, RunId, Sha256Digest};

use super::{FileOf, HIDDEN, Hold, NewFile, Place, TakeCommit};
use crate::parquet::commit_log::{COMMIT_BYTES_MAX, CommitLog, DataFile, LoggedCommit};
use crate::parquet::error::ParquetError;

pub(super) struct FolderPlace {
    folder: PathBuf,
}

impl FolderPlace {
    pub(super) fn new(store: &Path, dataset: &DatasetName) -> Self {
        Self { folder: store.join(dataset.as_str()) }
    }

    fn commits(&self) -> PathBuf {
        self.folder.join(HIDDEN).join("commits")
    }

    fn commit(&self, ordinal: u32) -> PathBuf {
        self.commits().join(format!("{ordinal:08}.json"))
    }

    fn staging(&self) -> PathBuf {
        self.folder.join(HIDDEN).join("staging")
    }

    fn staged(&self, run: &RunId) -> PathBuf {
        self.staging().join(run.as_str())
    }

    fn clear_staging(&self) -> Result<(), ParquetError> {
        let staging = self.staging();
        let entries = match fs::read_dir(&staging) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(file_error(&staging, "read"))?,
        };
        for entry in entries {
            let path = entry.map_err(file_error(&staging, "read"))?.path();
            fs::remove_dir_all(&path).map_err(file_error(&path, "removed"))?;
        }
        Ok(())
    }
}

impl Place for FolderPlace {
    fn shown(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn shown_commit(&self, ordinal: u32) -> String {
        self.commit(ordinal).display().to_string()
    }

    fn read_commits(&self, from: u32, take: TakeCommit<'_>) -> Result<(), ParquetError> {
        for ordinal in from.. {
            let path = self.commit(ordinal);
            let bytes = match fs::metadata(&path) {
                Ok(metadata) if metadata.len() <= COMMIT_BYTES_MAX => {
                    fs::read(&path).map_err(file_error(&path, "read"))?
                }
                Ok(_) => return Err(ParquetError::CommitLog { path: self.shown_commit(ordinal) }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(file_error(&path, "read")(error)),
            };
            take(ordinal, &bytes)?;
        }
        Ok(())
    }

    fn hold(&self, dataset: &DatasetName) -> Result<Hold, ParquetError> {
        for folder in [self.commits(), self.staging()] {
            fs::create_dir_all(&folder).map_err(file_error(&folder, "made"))?;
        }
        for folder in [self.folder.clone(), self.folder.join(HIDDEN)] {
            sync_folder(&folder)?;
        }
        let path = self.folder.join(HIDDEN).join("lock");
        let lock = File::create(&path).map_err(file_error(&path, "made"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Err(ParquetError::Locked { dataset: dataset.clone() }),
            Err(TryLockError::Error(source)) => Err(file_error(&path, "locked")(source)),
        }
    }

    fn begin(&self, run: &RunId) -> Result<(), ParquetError> {
        let staged = self.staged(run);
        fs::create_dir_all(&staged).map_err(file_error(&staged, "made"))
    }

    fn create(&self, run: &RunId, name: &str) -> Result<Box<dyn NewFile>, ParquetError> {
        let path = self.staged(run).join(name);
        let file = File::create_new(&path).map_err(file_error(&path, "made"))?;
        Ok(Box::new(BufWriter::with_capacity(256 * 1024, file)))
    }

    fn discard(&self, run: &RunId, name: &str) -> Result<(), ParquetError> {
        let path = self.staged(run).join(name);
        fs::remove_file(&path).map_err(file_error(&path, "removed"))
    }

    fn open(&self, file: &DataFile, of: FileOf<'_>) -> Result<File, ParquetError> {
        let path = match of {
            FileOf::Commit => self.folder.join(&file.name),
            FileOf::Run(run) => self.staged(run).join(&file.name),
        };
        let mut opened = File::open(&path).map_err(file_error(&path, "read"))?;
        let changed = |what| ParquetError::FileChanged { path: path.display().to_string(), what };
        if opened.metadata().map_err(file_error(&path, "read"))?.len() != file.bytes {
            return Err(changed("size"));
        }
        if digest(&mut opened).map_err(file_error(&path, "read"))? != file.sha256 {
            return Err(changed("SHA-256"));
        }
        opened.rewind().map_err(file_error(&path, "read"))?;
        Ok(opened)
    }

    fn append(&self, commit: &LoggedCommit, bytes: &[u8]) -> Result<(), ParquetError> {
        sync_folder(&self.staged(&commit.run))?;
        let path = self.commit(commit.commit.get());
        let beside = path.with_extension("new");
        // What a killed run left may be linked to the commit before it: it is removed, never written into.
        remove_if_there(&beside)?;
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            // A link, unlike a renaming, never replaces.
            fs::hard_link(&beside, &path)?;
            fs::remove_file(&beside)
        };
        write().map_err(file_error(&path, "written"))?;
        sync_folder(&self.commits())
    }

    /// Files that the last commit removed go, its files come, and what no commit knows of is cleared away.
    fn publish(&self, log: &CommitLog) -> Result<(), ParquetError> {
        if let Some(last) = log.commits.last() {
            for name in &last.removes {
                remove_if_there(&self.folder.join(name))?;
            }
            let staged = self.staged(&last.run);
            for file in &last.adds {
                let (from, to) = (staged.join(&file.name), self.folder.join(&file.name));
                match fs::rename(&from, &to) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => {}
                    outcome => outcome.map_err(file_error(&to, "published"))?,
                }
            }
            sync_folder(&self.folder)?;
        }
        self.clear_staging()
    }
}

impl NewFile for BufWriter<File> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

fn remove_if_there(path: &Path) -> Result<(), ParquetError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(file_error(path, "removed")),
    }
}

/// Makes what a folder lists durable.
fn sync_folder(folder: &Path) -> Result<(), ParquetError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(file_error(folder, "synced"))
}

fn file_error(path: &Path, verb: &'static str) -> impl Fn(io::Error) -> ParquetError {
    let path = path.display().to_string();
    move |source| ParquetError::File { path: path.clone(), verb, source }
}

fn digest(file: &mut File) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
