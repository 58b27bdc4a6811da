//! Measures the engine on a generated set: `policy POLICIES REQUESTS SECONDS [FOLDER]`.
//!
//! One thread asks each request anew, again and again; only what it works counts. Prints one line of JSON; with a folder,
//! writes the set and the answers there, so that another engine can be asked the same.

#[path = "../../tests/policy/random.rs"]
mod random;
mod set;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lockgate_policy::model::{PolicyType, Roles, ServicePolicies, ServiceTags};
use lockgate_policy::{Decision, Engine, Mode, Options, Request, Sources, Values};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A request as it comes in: its texts are its own.
struct Asked {
    kind: PolicyType,
    resource: Vec<(String, String)>,
    groups: Vec<String>,
    access: String,
    user: String,
    at: Timestamp,
}

impl Asked {
    fn new(request: &Value) -> Self {
        let text = |name: &str| request[name].as_str().expect("a text").to_owned();
        let texts = |value: &Value| value.as_str().expect("a text").to_owned();
        let resource = request["resource"].as_object().expect("a resource");
        Self {
            kind: kind(request),
            resource: resource.iter().map(|(level, value)| (level.clone(), texts(value))).collect(),
            groups: request["groups"].as_array().into_iter().flatten().map(texts).collect(),
            access: text("access"),
            user: text("user"),
            at: Timestamp::from_millisecond(request["at"].as_i64().expect("a time")).expect("a time"),
        }
    }

    /// What the caller of the engine has at hand: the texts, borrowed.
    fn borrowed(&self) -> Borrowed<'_> {
        Borrowed {
            resource: self.resource.iter().map(|(level, value)| (level.as_str(), Values::One(value))).collect(),
            groups: self.groups.iter().map(String::as_str).collect(),
            of: self,
        }
    }
}

struct Borrowed<'a> {
    resource: Vec<(&'a str, Values<'a>)>,
    groups: Vec<&'a str>,
    of: &'a Asked,
}

impl Borrowed<'_> {
    fn ask<'e>(&self, engine: &'e Engine) -> Decision<'e> {
        let request = Request {
            resource: &self.resource,
            access: &self.of.access,
            user: Some(&self.of.user),
            groups: &self.groups,
            at: self.of.at,
            ..Request::default()
        };
        engine.evaluate(&request, self.of.kind)
    }
}

fn kind(request: &Value) -> PolicyType {
    match request["kind"].as_str() {
        Some("mask") => PolicyType::DataMask,
        Some("filter") => PolicyType::RowFilter,
        _ => PolicyType::Access,
    }
}

fn answer(kind: PolicyType, decision: &Decision<'_>) -> Value {
    match kind {
        PolicyType::Access => json!({
            "allowed": decision.is_allowed, "audited": decision.is_audited, "policyId": decision.policy_id,
        }),
        PolicyType::DataMask => {
            let mask = decision.mask.as_ref().filter(|mask| !mask.is_clear()).and_then(|mask| mask.kind);
            json!({ "mask": mask, "policyId": decision.policy_id })
        }
        PolicyType::RowFilter => json!({ "filter": decision.filter, "policyId": decision.policy_id }),
    }
}

/// How many requests are made before they are asked: those that come in at about one time.
const BATCH: usize = 250;

/// How many requests are answered in a second, by the clock: of each batch counts the pass that was disturbed least.
/// Each request is made anew before it is asked; the time to make it is not counted.
fn per_second(engine: &Engine, requests: &[&Value], time: Duration) -> f64 {
    let mut least = vec![Duration::MAX; requests.len().div_ceil(BATCH)];
    let mut whole = Duration::ZERO;
    while whole < time {
        for (batch, least) in requests.chunks(BATCH).zip(&mut least) {
            let fresh: Vec<Asked> = batch.iter().map(|request| Asked::new(request)).collect();
            let fresh: Vec<Borrowed<'_>> = fresh.iter().map(Asked::borrowed).collect();
            let started = Instant::now();
            for request in &fresh {
                std::hint::black_box(request.ask(engine));
            }
            let taken = started.elapsed();
            *least = taken.min(*least);
            whole += taken;
        }
    }
    f64::from(u32::try_from(requests.len()).expect("few requests")) / least.iter().sum::<Duration>().as_secs_f64()
}

/// How long this thread has run on a processor: what others do at the same time does not count.
fn worked() -> Duration {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells what a thread has worked");
    let nanoseconds = statistics.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.expect("nanoseconds"))
}

/// The resident memory of this process, in bytes.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux tells what memory is used");
    let pages: Option<usize> = pages.split_whitespace().nth(1).and_then(|text| text.parse().ok());
    pages.expect("pages") * 4096
}

/// What one engine needs: several are made, because the first ones fill what was free already.
fn memory(sources: &Sources) -> usize {
    const FIRST: usize = 2;
    const COUNTED: usize = 4;
    let mut engines: Vec<Engine> = (0..FIRST).map(|_| engine(sources)).collect();
    let before = resident();
    engines.extend((0..COUNTED).map(|_| engine(sources)));
    (resident() - before) / COUNTED
}

fn engine(sources: &Sources) -> Engine {
    Engine::new(sources, Options { mode: Mode::Compat, ..Options::default() })
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("what was made can be read")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize, usual: usize| arguments.get(at).map_or(usual, |text| text.parse().expect("a number"));
    let (policies, requests, seconds) = (number(0, 10_000), number(1, 20_000), number(2, 1));
    let set = set::make(policies, requests);
    let sources = Sources {
        policies: read::<ServicePolicies>(&set.service),
        roles: read::<Roles>(&set.roles),
        tags: Some(read::<ServiceTags>(&set.tags)),
        ..Sources::default()
    };
    let started = worked();
    let engine = engine(&sources);
    let build = (worked() - started).as_secs_f64();
    let memory = memory(&sources);
    let mut line = json!({ "policies": policies, "build_seconds": build, "memory_bytes": memory });
    for (name, wanted) in
        [("access", PolicyType::Access), ("mask", PolicyType::DataMask), ("filter", PolicyType::RowFilter)]
    {
        let of_kind: Vec<&Value> = set.requests.iter().filter(|request| kind(request) == wanted).collect();
        let time = Duration::from_secs(u64::try_from(seconds).expect("few seconds"));
        per_second(&engine, &of_kind, time);
        line[format!("{name}_per_second")] = per_second(&engine, &of_kind, time).into();
    }
    println!("{line}");
    if let Some(folder) = arguments.get(3) {
        let answers =
            set.requests.iter().map(|request| answer(kind(request), &Asked::new(request).borrowed().ask(&engine)));
        write(Path::new(folder), &set, answers).expect("the folder can be written to");
    }
}

fn write(folder: &Path, set: &set::Set, answers: impl Iterator<Item = Value>) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, document) in [("service.json", &set.service), ("tags.json", &set.tags), ("roles.json", &set.roles)] {
        fs::write(folder.join(name), document.to_string())?;
    }
    let mut requests = std::io::BufWriter::new(fs::File::create(folder.join("requests.jsonl"))?);
    set.requests.iter().try_for_each(|request| writeln!(requests, "{request}"))?;
    let mut file = std::io::BufWriter::new(fs::File::create(folder.join("lockgate.jsonl"))?);
    answers.into_iter().try_for_each(|answer| writeln!(file, "{answer}"))?;
    file.flush()
}
