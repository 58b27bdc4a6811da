//! Events wait in a folder for each transport, in their order, until they are sent.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use jiff::Timestamp;
use lockgate_openlineage::{Http, Transport};
use lockgate_trust::{EventPoster, Site, write_durably};

use crate::output;

/// How many events may wait for one transport; the oldest stay.
const WAITING_EVENTS_MAX: usize = 10_000;
/// How often a server that does not answer is asked again for one event, within one command.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Where events lie that a server will never take.
const REFUSED: &str = "refused";

/// The folders of events.
#[derive(Clone)]
pub(super) struct Spool(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    transports: Vec<(PathBuf, Transport)>,
    /// Sets events of one millisecond apart.
    kept: AtomicU64,
}

impl Spool {
    pub(super) fn new(site: &Site, transports: Vec<Transport>) -> Self {
        let folder = site.root.join(".lockgate/openlineage");
        let named = transports.into_iter().map(|transport| (folder.join(name_of(&transport)), transport)).collect();
        Self(Arc::new(Inner { folder, transports: named, kept: AtomicU64::new(0) }))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Keeps an event for every transport.
    pub(super) fn keep(&self, event: &str) {
        let number = self.0.kept.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:016}-{}-{number:06}.json", Timestamp::now().as_microsecond(), std::process::id());
        for (folder, _) in &self.0.transports {
            let kept = match waiting(folder).len() {
                full if full >= WAITING_EVENTS_MAX => Err(format!("{WAITING_EVENTS_MAX} events wait already")),
                _ => fs::create_dir_all(folder).map_err(|error| error.to_string()).and_then(|()| {
                    write_durably(&folder.join(&name), event.as_bytes(), 0o600).map_err(|e| e.to_string())
                }),
            };
            if let Err(why) = kept {
                output::note(&format!("a lineage event cannot be kept in {}: {why}", folder.display()));
            }
        }
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.0.transports.iter().any(|(folder, _)| !waiting(folder).is_empty())
    }

    /// Sends what waits whenever it is woken, until nobody can wake it any more.
    pub(super) fn send_as_woken(&self, site: &Site, woken: &Receiver<()>) {
        let mut poster = None;
        loop {
            let last = woken.recv().is_err();
            while woken.try_recv().is_ok() {}
            for (folder, transport) in &self.0.transports {
                if let Err(why) = send_all(folder, transport, site, &mut poster)
                    && last
                {
                    output::note(&format!("lineage is not sent now: {why}"));
                }
            }
            if last {
                return;
            }
        }
    }
}

/// A name for a transport's folder that stays the same from run to run.
fn name_of(transport: &Transport) -> String {
    let of = |kind: &str, place: &str| {
        let safe: String = place.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("{kind}-{}", safe.chars().rev().take(100).collect::<Vec<_>>().into_iter().rev().collect::<String>())
    };
    match transport {
        Transport::Http(http) => of("http", &http.url),
        Transport::File { path, .. } => of("file", path),
        Transport::Console => "console".to_owned(),
    }
}

/// The files of events in a folder, the oldest first.
fn waiting(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    files
}

/// Sends the events of one transport in their order, and stops at the first that cannot go.
fn send_all(folder: &Path, transport: &Transport, site: &Site, poster: &mut Option<EventPoster>) -> Result<(), String> {
    if waiting(folder).is_empty() {
        return Ok(());
    }
    let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    if lock.try_lock().is_err() {
        // Another run sends, and takes these along.
        return Ok(());
    }
    for path in waiting(folder) {
        let event = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        match transport {
            Transport::Console => output::note(&event),
            Transport::File { path, append } => to_file(path, *append, &event).map_err(|e| e.to_string())?,
            Transport::Http(http) => {
                let poster = match poster {
                    Some(poster) => poster,
                    None => poster.insert(EventPoster::new(site).map_err(|error| error.to_string())?),
                };
                if let Err(status) = post(poster, site, http, &event)? {
                    refuse(folder, &path, status)?;
                    continue;
                }
            }
        }
        fs::remove_file(&path).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Posts one event; the inner error is the status of a server that will never take it.
fn post(poster: &EventPoster, site: &Site, http: &Http, event: &str) -> Result<Result<(), u16>, String> {
    let mut pause = FIRST_PAUSE;
    let mut why = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            std::thread::sleep(pause);
            pause *= 2;
        }
        let token = match &http.oauth_client {
            Some(client) => Some(site.access_token(client).map_err(|error| error.to_string())?),
            None => None,
        };
        let token = token.as_ref().map(|token| token.expose().as_str());
        let shown = token.or_else(|| http.api_key.as_ref().map(|key| key.expose()));
        match poster.post(&http.url, shown, event.to_owned()) {
            Ok(200..=299) => return Ok(Ok(())),
            Ok(status @ (400 | 413 | 422)) => return Ok(Err(status)),
            Ok(status) => why = format!("{} answers {status}", http.url),
            Err(error) => why = format!("{}: {error}", http.url),
        }
    }
    Err(why)
}

fn refuse(folder: &Path, path: &Path, status: u16) -> Result<(), String> {
    let aside = folder.join(REFUSED);
    fs::create_dir_all(&aside).map_err(|error| error.to_string())?;
    let kept = aside.join(path.file_name().unwrap_or_default());
    fs::rename(path, &kept).map_err(|error| error.to_string())?;
    output::note(&format!("the lineage server refused an event ({status}); it is kept as {}", kept.display()));
    Ok(())
}

fn to_file(path: &str, append: bool, event: &str) -> std::io::Result<()> {
    let path = PathBuf::from(path);
    if append {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        return file.write_all(format!("{event}\n").as_bytes());
    }
    let now = Timestamp::now().strftime("%Y%m%d-%H%M%S.%6f").to_string();
    let mut name = path.into_os_string();
    name.push(format!("-{now}.json"));
    fs::write(name, event)
}
